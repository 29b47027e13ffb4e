-- Every action writes an annotation, never spec: Git says what spec is, and self-heal would take the change back.
local annotations = obj.metadata.annotations or {}
local spec = obj.spec or {}
local status = obj.status or {}

-- An annotation wins over the field of spec that it stands for.
local suspended = annotations["airflowtenants.io/suspend"] == "true"
  or (annotations["airflowtenants.io/suspend"] ~= "false" and spec.suspend == true)
local hibernated = annotations["airflowtenants.io/state"] == "Hibernated"
  or (annotations["airflowtenants.io/state"] ~= "Running" and spec.state == "Hibernated")
local held = annotations["airflowtenants.io/dag-revisions"] ~= nil

local fetched = false
if spec.dags ~= nil and spec.dags.sources ~= nil then
  for _, source in ipairs(spec.dags.sources) do
    fetched = fetched or source.gitSync ~= nil
  end
end

local previous = false
if status.dags ~= nil then
  for _, source in ipairs(status.dags) do
    previous = previous or (source.previousCommit ~= nil and source.previousCommit ~= "")
    held = held or source.held == true
  end
end

local actions = {}

actions["reconcile-now"] = {
  ["iconClass"] = "fa fa-fw fa-sync",
  ["displayName"] = "Reconcile now",
  ["disabled"] = suspended
}
actions["sync-dags-now"] = {
  ["iconClass"] = "fa fa-fw fa-code-branch",
  ["displayName"] = "Fetch and parse DAGs now",
  ["disabled"] = suspended or hibernated or not fetched
}
actions["suspend"] = {
  ["iconClass"] = "fa fa-fw fa-pause",
  ["displayName"] = "Suspend: the operator changes nothing",
  ["disabled"] = suspended
}
actions["resume"] = {
  ["iconClass"] = "fa fa-fw fa-play",
  ["displayName"] = "Resume",
  ["disabled"] = not suspended
}
actions["hibernate"] = {
  ["iconClass"] = "fa fa-fw fa-moon",
  ["displayName"] = "Hibernate: scale to zero, keep the data",
  ["disabled"] = suspended or hibernated
}
actions["wake"] = {
  ["iconClass"] = "fa fa-fw fa-sun",
  ["displayName"] = "Wake up",
  ["disabled"] = suspended or not hibernated
}
actions["roll-back-dags"] = {
  ["iconClass"] = "fa fa-fw fa-undo",
  ["displayName"] = "Roll DAGs back to the previous commit and hold them",
  ["disabled"] = suspended or hibernated or held or not previous
}
actions["follow-dags"] = {
  ["iconClass"] = "fa fa-fw fa-redo",
  ["displayName"] = "Let DAGs follow their branch again",
  ["disabled"] = suspended or annotations["airflowtenants.io/dag-revisions"] == nil
}

return actions
