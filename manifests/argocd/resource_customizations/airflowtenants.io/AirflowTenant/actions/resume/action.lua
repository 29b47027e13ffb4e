if obj.spec ~= nil and obj.spec.suspend == true then
  -- Git itself says so: without an annotation it would stay suspended.
  if obj.metadata.annotations == nil then
    obj.metadata.annotations = {}
  end
  obj.metadata.annotations["airflowtenants.io/suspend"] = "false"
elseif obj.metadata.annotations ~= nil then
  obj.metadata.annotations["airflowtenants.io/suspend"] = nil
end
return obj
