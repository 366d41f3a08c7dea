// The decorator of aws-vpc-flow-log-appender, unchanged, in a process of its own: EC2 answers from memory, the log is
// muted, geolocation is off. Reads one JSON object from standard input, writes milliseconds and sizes as another.
'use strict'

const Module = require('module')
const path = require('path')
const { performance } = require('perf_hooks')

const [decorator, modules] = process.argv.slice(2)
process.env.GEOLOCATION_ENABLED = 'false'
const input = JSON.parse(require('fs').readFileSync(0))

class EC2 {
  describeNetworkInterfaces() {
    return { promise: async () => ({ NetworkInterfaces: input.interfaces }) }
  }
}

const STUBS = { 'aws-sdk/clients/ec2': EC2, 'aws-sdk/clients/ssm': class {} }
const load = Module._load
Module._load = function (name, ...rest) {
  return STUBS[name] || load.call(this, name, ...rest)
}
const resolve = Module._resolveFilename
Module._resolveFilename = function (name, parent, ...rest) {
  const found = ['axios', 'jmespath', 'lodash.find'].includes(name) ? path.join(modules, name) : name
  return resolve.call(this, found, parent, ...rest)
}

const { handler } = require(path.resolve(decorator))
const log = console.log
console.log = console.warn = () => {}

const invoke = (event) => new Promise((done, failed) => handler(event, {}, (error, answer) => error ? failed(error) : done(answer)))

const main = async () => {
  const took = []
  let answer
  for (const event of input.events) {
    const started = performance.now()
    answer = await invoke(event)
    took.push(performance.now() - started)
  }
  log(JSON.stringify({ handler_ms: took, response_bytes: JSON.stringify(answer).length,
    ok: answer.records.filter((one) => one.result === 'Ok').length }))
}

main().catch((error) => { process.stderr.write(`${error.stack}\n`); process.exit(1) })
