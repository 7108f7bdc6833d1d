-- What Argo CD calls an AIPlatform. Under resource.customizations.health.aiplatform.dev_AIPlatform in argocd-cm.
-- An object is Healthy when what its last edit declares was seen to be there, and Degraded when somebody has to act.
-- What is on its way or tried again by itself is Progressing.
local health = { status = "Progressing", message = "Waiting for the operator" }
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready
if ready == nil then
  return health
end
local observed = ready.observedGeneration or status.observedGeneration
if obj.metadata.generation ~= nil and observed ~= obj.metadata.generation then
  health.message = "Waiting for the operator to see the last edit"
  return health
end

health.message = ready.message
if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  health.status = "Degraded"
elseif obj.metadata.deletionTimestamp ~= nil then
  health.status = "Progressing"
elseif ready.reason == "Suspended" or ready.reason == "Observing" then
  -- Nothing happens until somebody changes spec.suspend or spec.managementPolicy.
  health.status = "Suspended"
elseif ready.status == "True" then
  health.status = "Healthy"
end
return health
