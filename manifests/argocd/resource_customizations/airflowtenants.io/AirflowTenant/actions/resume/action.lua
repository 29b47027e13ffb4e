if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
if obj.spec ~= nil and obj.spec.suspend == true then
  -- Git itself says so: without an annotation it would stay suspended.
  obj.metadata.annotations["airflowtenants.io/suspend"] = "false"
else
  obj.metadata.annotations["airflowtenants.io/suspend"] = nil
end
return obj
