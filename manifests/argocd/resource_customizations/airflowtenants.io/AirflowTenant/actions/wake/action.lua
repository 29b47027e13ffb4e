if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
if obj.spec ~= nil and obj.spec.state == "Hibernated" then
  -- Git itself says so: without an annotation it would stay asleep.
  obj.metadata.annotations["airflowtenants.io/state"] = "Running"
else
  obj.metadata.annotations["airflowtenants.io/state"] = nil
end
return obj
