-- The status is as old as the operator's last look into Airflow (spec.sync.interval): a push of a moment ago may not be in it, and
-- then previousCommit is one commit too far. So the commit that was thought to be the present one is written behind @, and the
-- operator holds nothing when Airflow has another.
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
      local revision = source.name .. "=" .. source.previousCommit
      if source.commit ~= nil and source.commit ~= "" then
        revision = revision .. "@" .. source.commit
      end
      table.insert(revisions, revision)
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
