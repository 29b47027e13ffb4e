if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["airflowtenants.io/state"] = "Hibernated"
return obj
