if obj.spec ~= nil and obj.spec.state == "Hibernated" then
  -- Git itself says so: without an annotation it would stay asleep.
  if obj.metadata.annotations == nil then
    obj.metadata.annotations = {}
  end
  obj.metadata.annotations["airflowtenants.io/state"] = "Running"
elseif obj.metadata.annotations ~= nil then
  obj.metadata.annotations["airflowtenants.io/state"] = nil
end
return obj
