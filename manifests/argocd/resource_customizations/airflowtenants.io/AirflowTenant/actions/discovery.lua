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

local fetched = {}
local fetches = false
if spec.dags ~= nil and spec.dags.sources ~= nil then
  for _, source in ipairs(spec.dags.sources) do
    fetched[source.name] = source.gitSync ~= nil
    fetches = fetches or source.gitSync ~= nil
  end
end

local previous = false
if status.dags ~= nil then
  for _, source in ipairs(status.dags) do
    previous = previous or (fetched[source.name] and source.previousCommit ~= nil and source.previousCommit ~= "")
  end
end

-- A tenant that goes takes no more requests.
local gone = obj.metadata.deletionTimestamp ~= nil

local actions = {}

actions["reconcile-now"] = {
  ["iconClass"] = "fa fa-fw fa-sync",
  ["displayName"] = "Reconcile now",
  ["disabled"] = gone or suspended
}
actions["sync-dags-now"] = {
  ["iconClass"] = "fa fa-fw fa-code-branch",
  ["displayName"] = "Fetch and parse DAGs now",
  ["disabled"] = gone or suspended or hibernated or not fetches
}
actions["suspend"] = {
  ["iconClass"] = "fa fa-fw fa-pause",
  ["displayName"] = "Suspend: the operator changes nothing",
  ["disabled"] = gone or suspended
}
actions["resume"] = {
  ["iconClass"] = "fa fa-fw fa-play",
  ["displayName"] = "Resume",
  ["disabled"] = gone or not suspended
}
actions["hibernate"] = {
  ["iconClass"] = "fa fa-fw fa-moon",
  ["displayName"] = "Hibernate: scale to zero, keep the data",
  ["disabled"] = gone or suspended or hibernated
}
actions["wake"] = {
  ["iconClass"] = "fa fa-fw fa-sun",
  ["displayName"] = "Wake up",
  ["disabled"] = gone or suspended or not hibernated
}
actions["roll-back-dags"] = {
  ["iconClass"] = "fa fa-fw fa-undo",
  ["displayName"] = "Roll DAGs back to the previous commit and hold them",
  ["disabled"] = gone or suspended or hibernated or held or not previous
}
actions["follow-dags"] = {
  ["iconClass"] = "fa fa-fw fa-redo",
  ["displayName"] = "Let DAGs follow their branch again",
  ["disabled"] = gone or suspended or not held
}

return actions
