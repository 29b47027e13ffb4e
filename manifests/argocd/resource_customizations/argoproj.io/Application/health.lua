-- Health of an Application inside another one ("app of apps"). Argo CD has had none of its own since 1.8, and without it
-- a sync wave of Applications waits for nothing:
-- https://argo-cd.readthedocs.io/en/stable/operator-manual/health/#argocd-app
-- Beyond the documented script: a running or failed sync counts, and what somebody suspended holds up no wave.
local hs = { status = "Progressing", message = "Waiting for Argo CD" }

if obj.status == nil or obj.status.health == nil or obj.status.health.status == nil then
  return hs
end

local synced = obj.status.sync ~= nil and obj.status.sync.status == "Synced"
local operation = obj.status.operationState

if operation ~= nil and operation.phase == "Running" then
  hs.message = operation.message or "Synchronizing"
  return hs
end

if operation ~= nil and not synced and (operation.phase == "Failed" or operation.phase == "Error") then
  hs.status = "Degraded"
  hs.message = operation.message or "The last synchronization failed"
  return hs
end

hs.status = obj.status.health.status
hs.message = obj.status.health.message or ""
if hs.status == "Suspended" then
  hs.status = "Healthy"
elseif hs.status == "Missing" or hs.status == "Unknown" then
  hs.status = "Progressing"
end
return hs
