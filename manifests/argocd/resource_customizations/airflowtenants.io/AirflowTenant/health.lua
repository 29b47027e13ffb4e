-- The health of an AirflowTenant, from its conditions Ready, Reconciling and Stalled (kstatus' names).
-- The operator rolls pods, release, DAGs and objects inside Airflow up into them: Argo CD does not do that itself.

-- An annotation wins over the field of spec that it stands for; any other text than the two known ones is a mistake,
-- which the operator tells by Stalled.
local function asked(annotation, yes, no, field)
  local value = obj.metadata.annotations and obj.metadata.annotations[annotation]
  if value == yes then
    return true
  end
  if value == no then
    return false
  end
  return field
end

local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

local ready = conditions["Ready"]

-- What Ready says, when it says something.
local function told(otherwise)
  if ready ~= nil and ready.message ~= nil and ready.message ~= "" then
    return ready.message
  end
  return otherwise
end

local function is(kind, status)
  return conditions[kind] ~= nil and conditions[kind].status == status
end

local hs = {}

-- Argo CD 3 says "Pending deletion" by itself, before it asks; versions and tools that do ask get the reason.
if obj.metadata.deletionTimestamp ~= nil then
  hs.status = "Progressing"
  if ready ~= nil and ready.status ~= "True" then
    hs.message = told("Deleting")
  else
    hs.message = "Deleting"
  end
  return hs
end

local spec = obj.spec or {}

if asked("airflowtenants.io/suspend", "true", "false", spec.suspend == true) then
  hs.status = "Suspended"
  if ready ~= nil and ready.reason == "Suspended" then
    hs.message = told("Suspended")
  else
    hs.message = "Suspended: the operator changes nothing, what runs keeps running"
  end
  return hs
end

local rest = asked("airflowtenants.io/state", "Hibernated", "Running", spec.state == "Hibernated")
local reason = ready ~= nil and ready.reason or ""

-- Asleep only when the operator says so: until then pods still end, or something is wrong.
if rest and is("Ready", "True") and reason == "Hibernated" then
  hs.status = "Suspended"
  hs.message = told("Hibernated")
  return hs
end

-- An annotation raises no generation: what Ready says may still be of the time before.
hs.status = "Progressing"
if reason == "Suspended" then
  hs.message = "Waiting for the operator to resume it"
  return hs
end
if rest and is("Ready", "True") then
  hs.message = "Waiting for the operator to put it to sleep"
  return hs
end
if not rest and reason == "Hibernated" then
  hs.message = "Waiting for the operator to wake it"
  return hs
end

local observed = obj.status and obj.status.observedGeneration
if obj.status == nil or (observed ~= nil and obj.metadata.generation ~= nil and observed < obj.metadata.generation) then
  -- What Ready says is about an earlier spec, if it says anything: "True" would let a wave go on too early.
  hs.message = "Waiting for the operator to look at generation " .. (obj.metadata.generation or 1)
  return hs
end

if is("Stalled", "True") then
  hs.status = "Degraded"
  hs.message = told(conditions["Stalled"].message or "Stalled")
  return hs
end

if is("Reconciling", "True") then
  hs.status = "Progressing"
  hs.message = told(conditions["Reconciling"].message or "Reconciling")
  return hs
end

if is("Ready", "True") then
  hs.status = "Healthy"
  hs.message = told("Ready")
  return hs
end

if is("Ready", "False") then
  hs.status = "Degraded"
  hs.message = told(ready.reason or "Not ready")
  return hs
end

hs.status = "Progressing"
hs.message = told("Waiting for the operator")
return hs
