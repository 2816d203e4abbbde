// kafkajs. Its consumer only works in a group, so that consuming by partition takes
// its inner parts: the cluster's metadata and the broker's fetch.

const readline = require('readline')
const {Kafka, CompressionTypes, CompressionCodecs, logLevel, PartitionAssigners} = require('kafkajs')
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

// What follows works on jobs (program_job_test.go).

// teller tells events one after the other, each when the one before has been taken down.
function teller() {
  const t = {going: true}
  let turn = Promise.resolve()
  t.tell = (event, fields) => {
    turn = turn.then(async () => {
      process.stdout.write(JSON.stringify({event, ...fields}) + '\n')
      const {value} = await input.next()
      t.going = t.going && JSON.parse(value).go
    })
    return turn
  }
  return t
}

// writer is a transactional producer, and another after each that cannot go on.
function writer(name, output, tell) {
  let producer = null
  const open = async () => {
    while (producer === null) {
      const p = kafka.producer({transactionalId: name, idempotent: true, maxInFlightRequests: 1, retry})
      try {
        await p.connect()
        producer = p
        await tell('restarted', {})
      } catch (e) {
        process.stderr.write(`producer: ${e.stack}\n`)
        await sleep(200)
      }
    }
  }
  const close = async () => {
    if (producer !== null) await producer.disconnect().catch(() => {})
    producer = null
  }
  // transaction reports whether it ended as it should.
  const transaction = async (outputs, offsets, abort, add) => {
    await open()
    await tell('begin', {outputs, offsets})
    let tx = null
    let written = true
    try {
      tx = await producer.transaction()
      for (const [partition, value] of outputs) await tx.send({topic: output, messages: [{partition, value}]})
      if (add) await add(tx)
    } catch (e) {
      process.stderr.write(`transaction: ${e.stack}\n`)
      written = false
    }
    const commit = written && !abort
    await tell('ending', {written, commit})
    try {
      if (tx !== null) await (commit ? tx.commit() : tx.abort())
      await tell('ended', {outcome: tx === null ? 'failed' : 'ok'})
    } catch (e) {
      process.stderr.write(`end: ${e.stack}\n`)
      await tell('ended', {outcome: 'unknown'})
      await close()
      await open() // it ends what the old one left
      return false
    }
    return written
  }
  return {transaction, close}
}

client.work = async order => {
  const {task, name, group, input: topic, output, output_partitions, read_committed} = order
  const t = teller()
  let next = order.first_value
  const outputs = inputs => inputs.map(i => [next % output_partitions, String(next++), i])
  const w = writer(name, output, t.tell)
  if (task === 'transact') {
    for (let i = 0; t.going; i++) await w.transaction(outputs(['0', '0', '0', '0']), {}, i % 3 === 2, null)
    await w.close()
    return {}
  }
  const consumer = kafka.consumer({
    groupId: group, sessionTimeout: 15000, heartbeatInterval: 500, rebalanceTimeout: 15000, maxWaitTimeInMs: 200, retry,
    readUncommitted: !read_committed, partitionAssigners: [PartitionAssigners.roundRobin],
  })
  await consumer.connect()
  // The generation is nothing that it tells.
  consumer.on(consumer.events.GROUP_JOIN, ({payload}) =>
    t.tell('assigned', {member: payload.memberId, generation: -1, partitions: payload.memberAssignment[topic] || []}))
  await consumer.subscribe({topics: [topic], fromBeginning: true})
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({batch, resolveOffset, heartbeat, isRunning, isStale}) => {
      if (!isRunning() || isStale() || batch.messages.length === 0) return
      const {partition, messages} = batch
      await t.tell('polled', {records: messages.map(m => [partition, Number(m.offset), text(m.value)])})
      const offset = Number(messages[messages.length - 1].offset) + 1
      const topics = [{topic, partitions: [{partition, offset: String(offset)}]}]
      if (task === 'transform') {
        const add = tx => tx.sendOffsets({consumerGroupId: group, topics})
        while (!(await w.transaction(outputs(messages.map(m => text(m.value))), {[partition]: offset}, false, add))) {
          // After an end of which nothing is known the group's offset tells.
          const [{partitions}] = await withAdmin(admin => admin.fetchOffsets({groupId: group, topics: [topic]}))
          if (Number(partitions.find(p => p.partition === partition).offset) >= offset) break
        }
      } else {
        await t.tell('committing', {offsets: {[partition]: offset}})
        try {
          await consumer.commitOffsets([{topic, partition, offset: String(offset)}])
          await t.tell('committed', {outcome: 'ok'})
        } catch (e) {
          await t.tell('committed', {outcome: 'unknown'})
          throw e
        }
      }
      resolveOffset(messages[messages.length - 1].offset)
      await heartbeat()
    },
  })
  while (t.going) {
    await sleep(300)
    await t.tell('polled', {records: []})
  }
  await consumer.stop()
  await consumer.disconnect()
  await w.close()
  await t.tell('lost', {})
  return {}
}

const input = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]()

async function serve() {
  for await (const line of input) {
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
