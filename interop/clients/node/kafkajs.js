// kafkajs. Its consumer only works in a group, so that consuming by partition takes
// its inner parts: the cluster's metadata and the broker's fetch.

const readline = require('readline')
const {Kafka, CompressionTypes, CompressionCodecs, logLevel} = require('kafkajs')
const Cluster = require('kafkajs/src/cluster')
const {createLogger} = require('kafkajs/src/loggers')
const socketFactory = require('kafkajs/src/network/socketFactory')
const snappy = require('kafkajs-snappy')
const LZ4 = require('kafkajs-lz4')
const zstd = require('@bokuweb/zstd-wasm')

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = new LZ4().codec
const zstdReady = zstd.init()
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => {
    await zstdReady
    return Buffer.from(zstd.compress(encoder.buffer, 3))
  },
  decompress: async buffer => {
    await zstdReady
    return Buffer.from(zstd.decompress(buffer, {defaultHeapSize: 4 << 20}))
  },
})

const codecs = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD,
}
const patience = 60000 // milliseconds, as in client_test.go
const earliest = -2
const brokers = process.argv[process.argv.length - 1].split(',')
// A restarting node comes back within a second.
const retry = {initialRetryTime: 100, maxRetryTime: 500, retries: 100}
// Standard output is for the answers.
const logCreator = () => ({namespace, level, log}) =>
  level <= logLevel.WARN && process.stderr.write(`${namespace}: ${JSON.stringify(log)}\n`)
const kafka = new Kafka({clientId: 'interop', brokers, retry, logCreator})

const sleep = ms => new Promise(done => setTimeout(done, ms))
const text = buffer => (buffer === null || buffer === undefined ? null : buffer.toString())

async function withAdmin(use) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

function enough(records, {count, until}) {
  if (records.length === 0) return false
  return (count > 0 && records.length >= count) || (until !== '' && records[records.length - 1].value === until)
}

// groups cuts records into runs that fit into one batch.
function* groups(records, alone) {
  let group = []
  let size = 0
  for (const r of records) {
    const length = 100 + (r.value || '').length * 2
    if (group.length > 0 && (alone || size + length > 900000)) {
      yield group
      group = []
      size = 0
    }
    group.push(r)
    size += length
  }
  yield group
}

function message(r, partition) {
  const m = {key: r.key, value: r.value, partition, headers: {}}
  if (r.timestamp) m.timestamp = String(r.timestamp)
  for (const [name, value] of r.headers || []) (m.headers[name] = m.headers[name] || []).push(value)
  return m
}

function record(m) {
  const headers = []
  for (const [name, values] of Object.entries(m.headers || {}))
    for (const v of [].concat(values)) headers.push([name, text(v)])
  return {offset: Number(m.offset), timestamp: Number(m.timestamp), key: text(m.key), value: text(m.value), headers}
}

const client = {
  describe: () =>
    withAdmin(async admin => {
      const cluster = await admin.describeCluster()
      const {topics} = await admin.fetchTopicMetadata()
      return {
        brokers: cluster.brokers.map(b => b.nodeId),
        topics: Object.fromEntries(topics.map(t => [t.name, t.partitions.length])),
      }
    }),

  create: ({topic, partitions, replication}) =>
    withAdmin(async admin => {
      const topics = [{topic, numPartitions: partitions, replicationFactor: replication}]
      if (!(await admin.createTopics({topics, waitForLeaders: false}))) throw new Error('the topic exists')
      return {}
    }),

  produce: async ({topic, partition, codec, acks, ordered, pause_ms, records}) => {
    const producer = kafka.producer({maxInFlightRequests: ordered ? 1 : null, retry})
    await producer.connect()
    try {
      const offsets = []
      for (const group of groups(records, pause_ms > 0)) {
        const messages = group.map(r => message(r, partition))
        const results = await producer.send({topic, acks, compression: codecs[codec], messages})
        // With acks 0 there are none.
        for (const {baseOffset} of results) group.forEach((_, i) => offsets.push(Number(baseOffset) + i))
        await sleep(pause_ms)
      }
      return {offsets}
    } finally {
      await producer.disconnect()
    }
  },

  consume: async request => {
    const {topic, partition, from, at} = request
    let offset = from === 'offset' ? at : 0
    if (from === 'timestamp') offset = (await client.offset({topic, partition, at})).offset
    const logger = createLogger({level: logLevel.WARN, logCreator})
    const cluster = new Cluster({
      logger, brokers, retry, socketFactory: socketFactory(), connectionTimeout: 1000, requestTimeout: 30000,
      enforceRequestTimeout: true, metadataMaxAge: 300000, isolationLevel: 0, offsets: new Map(),
    })
    await cluster.connect()
    try {
      await cluster.addTargetTopic(topic)
      const records = []
      const deadline = Date.now() + patience
      while (!enough(records, request)) {
        if (Date.now() > deadline) throw new Error(`timed out after ${records.length} records`)
        try {
          const leader = Number(Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0])
          const broker = await cluster.findBroker({nodeId: leader})
          const partitions = [{partition, fetchOffset: String(offset), maxBytes: 1 << 20}]
          const {responses} = await broker.fetch({maxWaitTime: 200, isolationLevel: 0, topics: [{topic, partitions}]})
          for (const m of responses[0].partitions[0].messages) {
            // A batch comes whole, even if it begins before the offset.
            if (Number(m.offset) < offset || enough(records, request)) continue
            records.push(record(m))
            offset = Number(m.offset) + 1
          }
        } catch (e) {
          process.stderr.write(`fetch: ${e.stack}\n`)
          await sleep(100)
          await cluster.refreshMetadata().catch(e => process.stderr.write(`metadata: ${e}\n`))
        }
      }
      return {records}
    } finally {
      await cluster.disconnect()
    }
  },

  offset: ({topic, partition, at}) =>
    withAdmin(async admin => {
      const mine = list => list.find(o => o.partition === partition)
      if (at >= 0) return {offset: Number(mine(await admin.fetchTopicOffsetsByTimestamp(topic, at)).offset)}
      const {low, high} = mine(await admin.fetchTopicOffsets(topic))
      return {offset: Number(at === earliest ? low : high)}
    }),
}

async function serve() {
  for await (const line of readline.createInterface({input: process.stdin})) {
    const {op, ...request} = JSON.parse(line)
    let answer
    try {
      answer = await client[op](request)
    } catch (e) {
      process.stderr.write(`${op}: ${e.stack}\n`)
      answer = {error: String(e)}
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}

serve()
