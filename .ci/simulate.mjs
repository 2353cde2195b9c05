// Decides requests by the policies of deploy/aws, with a simulator of IAM. Each role may do exactly what docs/security.md says, in
// each partition. The policy of a bucket applies to every request to it.
//
//   node .ci/simulate.mjs FOLDER POLICIES [PARTITION]
//
// FOLDER has the simulator in its node_modules, and POLICIES the files of deploy/aws. With a partition, the policies are those of an
// installation there, and no placeholder of a partition is left in them.
//
// The simulator cannot know whether AWS sends a condition key. The keys here come from the documentation of S3 and KMS.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const require = createRequire(`${process.argv[2]}/`)
const { runSimulation } = await import(pathToFileURL(require.resolve('@cloud-copilot/iam-simulate')))

const partitions = { aws: 'eu-central-1', 'aws-us-gov': 'us-gov-west-1', 'aws-cn': 'cn-north-1' }
const account = '111122223333'
const bucket = 'arn:aws:s3:::example-bucket'
const heads = 'arn:aws:s3:::example-bucket-heads'
const results = 'arn:aws:s3:::example-bucket-results'
const athena = `arn:aws:athena:eu-central-1:${account}:workgroup`
const glue = `arn:aws:glue:eu-central-1:${account}`
const key = `arn:aws:kms:eu-central-1:${account}:key/00000000-0000-0000-0000-000000000000`
const file = `${bucket}/houndtrail/audit/tenant=acme/dt=2026-01-01/20260101T000000.000000Z.parquet`
const raw = `${bucket}/houndtrail/quarantine/3f`
const journal = `${bucket}/houndtrail/checkpoints/archive`
const entry = `${journal}/00000000000000000/00000000000000000001.json`
const outside = `${bucket}/elsewhere/x`
// An installation of .ci/terraform has a database of its own name.
const database = process.argv[4] ? 'example_workgroup' : 'example_database'
const create = { 's3:if-none-match': '*', 's3:ObjectCreationOperation': 'true' }
const overwrite = { 's3:ObjectCreationOperation': 'true' }
const list = prefix => ({ 's3:prefix': prefix })

// Each request has its name, the action, the resource, and the keys of its context.
const requests = {
  'read a file': ['s3:GetObject', file],
  'read an entry': ['s3:GetObject', entry],
  'read raw bytes': ['s3:GetObject', raw],
  'read outside of the prefix': ['s3:GetObject', outside],
  'read without TLS': ['s3:GetObject', file, { 'aws:SecureTransport': 'false' }],
  'read a version': ['s3:GetObjectVersion', file],
  'read a retention': ['s3:GetObjectRetention', file],
  'read a legal hold': ['s3:GetObjectLegalHold', file],
  'write a file': ['s3:PutObject', file, overwrite],
  'write raw bytes': ['s3:PutObject', raw, create],
  'write the lease': ['s3:PutObject', `${journal}/state/lease.json`, overwrite],
  'create an entry': ['s3:PutObject', entry, create],
  'create a set': ['s3:PutObject', `${journal}/delivered/3f`, create],
  'create a tile': ['s3:PutObject', `${journal}/tile/0/000`, create],
  'overwrite an entry': ['s3:PutObject', entry, overwrite],
  'overwrite a set': ['s3:PutObject', `${journal}/delivered/3f`, overwrite],
  'overwrite a tile': ['s3:PutObject', `${journal}/tile/0/000`, overwrite],
  'write outside of the prefix': ['s3:PutObject', outside, create],
  'end an upload': ['s3:AbortMultipartUpload', file],
  'set a retention': ['s3:PutObjectRetention', file],
  'bypass a retention': ['s3:BypassGovernanceRetention', file],
  'delete a file': ['s3:DeleteObject', file],
  'delete raw bytes': ['s3:DeleteObject', raw],
  'delete an entry': ['s3:DeleteObject', entry],
  'delete the lease': ['s3:DeleteObject', `${journal}/state/lease.json`],
  'delete outside of the prefix': ['s3:DeleteObject', outside],
  'delete a version': ['s3:DeleteObjectVersion', file],
  'list files': ['s3:ListBucket', bucket, list('houndtrail/audit/tenant=acme/')],
  'list entries': ['s3:ListBucket', bucket, list('houndtrail/checkpoints/archive/')],
  'learn that an object is missing': ['s3:ListBucket', bucket],
  'list outside of the prefix': ['s3:ListBucket', bucket, list('elsewhere/')],
  'list versions': ['s3:ListBucketVersions', bucket, list('houndtrail/audit/')],
  'see the versioning': ['s3:GetBucketVersioning', bucket],
  'see the default retention': ['s3:GetBucketObjectLockConfiguration', bucket],
  'change the bucket policy': ['s3:PutBucketPolicy', bucket],
  'decrypt through S3': ['kms:Decrypt', key, { 'kms:ViaService': 's3.eu-central-1.amazonaws.com' }],
  'decrypt by itself': ['kms:Decrypt', key],
  'encrypt through S3': ['kms:GenerateDataKey', key, { 'kms:ViaService': 's3.eu-central-1.amazonaws.com' }],
  'encrypt by itself': ['kms:GenerateDataKey', key],
  'read a head': ['s3:GetObject', `${heads}/houndtrail/archive/1`],
  'create a head': ['s3:PutObject', `${heads}/houndtrail/archive/1`, create],
  'overwrite a head': ['s3:PutObject', `${heads}/houndtrail/archive/1`, overwrite],
  'delete a head': ['s3:DeleteObject', `${heads}/houndtrail/archive/1`],
  'list heads': ['s3:ListBucket', heads, list('houndtrail/archive/')],
  'list all of the heads\' bucket': ['s3:ListBucket', heads],
  'read a head without TLS': ['s3:GetObject', `${heads}/houndtrail/archive/1`, { 'aws:SecureTransport': 'false' }],
  'delete a version of a head': ['s3:DeleteObjectVersion', `${heads}/houndtrail/archive/1`],
  'ask a question': ['athena:StartQueryExecution', `${athena}/example-workgroup`],
  'ask in another workgroup': ['athena:StartQueryExecution', `${athena}/primary`],
  'read the table': ['glue:GetTable', `${glue}:table/${database}/bloodhound_audit`],
  'read another table': ['glue:GetTable', `${glue}:table/payroll/salaries`],
  'change the table': ['glue:UpdateTable', `${glue}:table/${database}/bloodhound_audit`],
  'write a result': ['s3:PutObject', `${results}/1.csv`, overwrite],
  'read a result': ['s3:GetObject', `${results}/1.csv`],
  'read a result without TLS': ['s3:GetObject', `${results}/1.csv`, { 'aws:SecureTransport': 'false' }],
  'delete a result': ['s3:DeleteObject', `${results}/1.csv`],
}

const writer = [
  'read a file', 'read an entry', 'read raw bytes', 'write a file', 'write raw bytes', 'write the lease', 'create an entry', 'create a set',
  'create a tile', 'end an upload', 'set a retention', 'list files', 'list entries', 'learn that an object is missing',
  'decrypt through S3', 'encrypt through S3',
]
// The requests that each role may make. All others are denied.
const roles = {
  writer,
  compactor: [...writer, 'delete a file'],
  forget: [...writer, 'delete a file', 'delete raw bytes', 'read a retention', 'read a legal hold'],
  reader: ['read a file', 'list files', 'learn that an object is missing', 'decrypt through S3'],
  auditor: [
    'read a file', 'read an entry', 'read raw bytes', 'read a version', 'read a retention', 'list files', 'list entries', 'list versions',
    'learn that an object is missing', 'see the versioning', 'see the default retention', 'decrypt through S3',
  ],
  watch: ['read an entry', 'list entries', 'learn that an object is missing', 'decrypt through S3'],
  anchor: ['read a head', 'create a head', 'list heads'],
  'anchor-reader': ['read a head', 'list heads'],
  athena: ['ask a question', 'read the table', 'write a result', 'read a result', 'decrypt through S3', 'encrypt through S3'],
  // The bucket policy denies these even to an administrator.
  administrator: Object.keys(requests).filter(name => ![
    'read without TLS', 'overwrite an entry', 'overwrite a set', 'overwrite a tile', 'bypass a retention', 'delete an entry',
    'delete the lease', 'delete a version', 'overwrite a head', 'delete a head', 'delete a version of a head', 'read a head without TLS',
    'read a result without TLS',
  ].includes(name)),
}

const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: ['s3:*', 'kms:*', 'athena:*', 'glue:*'], Resource: '*' }] }
const statements = principal => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: principal }, Action: 'kms:*', Resource: '*' }],
})
let decided = 0
const wrong = []
for (const [partition, region] of Object.entries(partitions)) {
  if (process.argv[4] && process.argv[4] !== partition) continue
  const suffix = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com'
  const there = value => JSON.parse(JSON.stringify(value).replaceAll('arn:aws:', `arn:${partition}:`).replaceAll('eu-central-1', region)
    .replaceAll(`s3.${region}.amazonaws.com`, `s3.${region}.${suffix}`))
  const read = name => JSON.parse(readFileSync(`${process.argv[3]}/${name}-policy.json`))
  const shipped = name => (process.argv[4] ? read(name) : there(read(name)))
  // The policy of the resource itself: that of its bucket, or of the key.
  const protection = resource => {
    const at = resource.split('/')[0]
    if (at === there(bucket)) return shipped('bucket')
    if (at === there(heads)) return shipped('anchor-bucket')
    if (at === there(results)) return shipped('results-bucket')
    return resource === there(key) ? statements(`arn:${partition}:iam::${account}:root`) : undefined
  }
  for (const [role, may] of Object.entries(roles)) {
    const policy = role === 'administrator' ? everything : shipped(role)
    for (const [name, request] of Object.entries(requests)) {
      const [action, resource, context = {}] = there(request)
      const answer = await runSimulation({
        request: {
          principal: `arn:${partition}:iam::${account}:role/houndtrail`, action, resource: { resource, accountId: account },
          contextVariables: { 'aws:SecureTransport': 'true', ...context },
        },
        identityPolicies: [{ name: role, policy }], serviceControlPolicies: [], resourceControlPolicies: [],
        resourcePolicy: protection(resource),
      }, {})
      decided++
      const ignored = answer.result?.ignoredContextKeys ?? []
      const allowed = answer.overallResult === 'Allowed'
      if (answer.resultType !== 'single' || allowed !== may.includes(name) || ignored.some(k => k in context)) {
        wrong.push(`${partition}: ${role}: ${name}: ${answer.overallResult ?? JSON.stringify(answer.errors)}, and should be ` +
          `${may.includes(name) ? 'allowed' : 'denied'}${ignored.length ? `; without ${ignored}` : ''}`)
      }
    }
  }
}
console.log(`${decided} decisions, ${wrong.length} of them wrong`)
wrong.forEach(line => console.log(line))
process.exit(wrong.length > 0 ? 1 : 0)
