// Writes the schema of the provider hashicorp/aws for some of its resources and data sources, as JSON for main.go.
//
//   node schema.mjs PACKAGE aws_s3_bucket data.aws_partition ...    PACKAGE has the unpacked npm package @cdktf/provider-aws
//
// The package is generated from the provider's own schema. Its classes name each attribute and block, and its type declarations say
// which of them are required. The package does not say how many blocks there may be at most, except for "one". It does not have the
// validators of the provider's code either: the values of an enumeration, or attributes that exclude each other.
import { readFileSync } from 'node:fs'
import vm from 'node:vm'

const [folder, ...names] = process.argv.slice(2)
const scalars = { string: 'string', number: 'number', boolean: 'bool', any: 'string' }

// anything has every property and may be called. The classes read the values of a configuration from it.
const anything = new Proxy(function () {}, { get: (_, key) => (key === Symbol.toPrimitive ? () => '' : anything), apply: () => anything })

// library stands for the module cdktf: it shows the structure of a value in place of the value.
const library = new Proxy({
  canInspect: () => true,
  isComplexElement: () => false,
  Tokenization: { isResolvable: () => false },
  listMapperHcl: nested => () => ({ many: nested }),
  hashMapperHcl: () => () => 'map',
}, { get: (known, key) => known[key] ?? (/^Terraform|^Complex/.test(key) ? class {} : () => 'value') })

// load runs the JavaScript of one resource, and returns what it exports.
function load(path, source) {
  const exports = {}
  const script = new vm.Script(source, { filename: path })
  script.runInNewContext({ exports, require: () => library, Symbol, Object, Error })
  return exports
}

// requirements tells for each attribute of an interface whether it is required.
function requirements(declarations, name) {
  const text = declarations.split(new RegExp(`export interface ${name}(?: extends [\\w.]+)? \\{`))[1]?.split('\n}')[0] ?? ''
  const found = {}
  for (const [, attribute, , optional] of text.matchAll(/#(\w+) \w+#\w+\}(?:(?!\*\/)[^])*\*\/\s*readonly (\w+)(\??):/g)) {
    found[attribute] = optional === ''
  }
  return found
}

// body is a block: its attributes and its nested blocks.
function body(fields, declarations, name) {
  const required = requirements(declarations, name)
  const out = { attributes: {}, blocks: {} }
  for (const [key, { value, isBlock, type, storageClassType }] of Object.entries(fields)) {
    if (!isBlock) {
      const element = scalars[storageClassType.replace(/(List|Map)$/, '')] ?? 'string'
      out.attributes[key] = { type: type === 'simple' ? element : [type, element], required: required[key] === true, optional: !required[key] }
      continue
    }
    const inner = storageClassType.replace(type === 'struct' ? /$^/ : /(List|Set|Map)$/, '')
    const many = typeof value.many === 'function'
    out.blocks[key] = {
      nesting: type === 'set' ? 'set' : 'list', min: required[key] ? 1 : 0, max: many ? 0 : 1,
      body: body(many ? value.many(anything) : value, declarations, inner),
    }
  }
  return out
}

// schema is the block of a resource or of a data source. The comments name the attributes that only the provider sets.
function schema(name) {
  const at = `${folder}/lib/${name.replace(/^data\.aws_/, 'data-aws-').replace(/^aws_/, '').replaceAll('_', '-')}/index`
  const source = readFileSync(`${at}.js`, 'utf8').split('//# sourceMappingURL')[0]
  const [, kind] = source.match(/class (\w+) extends cdktf\.Terraform(?:Resource|DataSource)\b/)
  const fields = load(`${at}.js`, source)[kind].prototype.synthesizeHclAttributes.call(anything)
  const out = body(fields, readFileSync(`${at}.d.ts`, 'utf8'), `${kind}Config`)
  const main = source.slice(source.indexOf(`class ${kind} extends`))
  for (const [, computed, getter] of main.matchAll(/\/\/ (\w+) - computed: true, optional: false[^\n]*\n[^\n]*\n\s*return (.*)/g)) {
    const [, type] = getter.match(/this\.get(String|Number|Boolean)Attribute/) ?? []
    if (type) out.attributes[computed] ??= { type: scalars[type.toLowerCase()], computed: true }
  }
  for (const both of ['id', 'region', 'tags_all']) {
    if (out.attributes[both] || both === 'id') {
      out.attributes[both] = { type: 'string', ...out.attributes[both], computed: true, required: false, optional: out.attributes[both]?.optional ?? true }
    }
  }
  return out
}

const all = { resources: {}, data: {} }
for (const name of names) {
  if (name.startsWith('data.')) all.data[name.slice('data.'.length)] = schema(name)
  else all.resources[name] = schema(name)
}
console.log(JSON.stringify(all))
