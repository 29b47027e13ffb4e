if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["airflowtenants.io/dag-revisions"] = nil
end
return obj
