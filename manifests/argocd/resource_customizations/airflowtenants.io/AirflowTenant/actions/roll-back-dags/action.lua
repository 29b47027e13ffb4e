-- The status is as old as the operator's last look into Airflow (spec.sync.interval): a push of a moment ago may not be in it, and
-- then previousCommit is one commit too far. So the menu says what to run first.
local fetched = {}
if obj.spec ~= nil and obj.spec.dags ~= nil and obj.spec.dags.sources ~= nil then
  for _, source in ipairs(obj.spec.dags.sources) do
    fetched[source.name] = source.gitSync ~= nil
  end
end

local revisions = {}
if obj.status ~= nil and obj.status.dags ~= nil then
  for _, source in ipairs(obj.status.dags) do
    -- A source that has just left the spec is still in the status: the operator would hold nothing for its name.
    if fetched[source.name] and source.previousCommit ~= nil and source.previousCommit ~= "" then
      table.insert(revisions, source.name .. "=" .. source.previousCommit)
    end
  end
end
if #revisions == 0 then
  error("No source has a previous commit to go back to", 0)
end
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["airflowtenants.io/dag-revisions"] = table.concat(revisions, ",")
return obj
