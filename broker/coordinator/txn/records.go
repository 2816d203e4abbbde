package txn

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"odradek/broker/coordinator"
	"odradek/broker/wire"
)

// The one kind of record: TransactionLogKey version 0 and TransactionLogValue version 1,
// or 0 while the feature transaction.version is, unless
// there is more to tell. A null value forgets the transactional
// id. What cannot be read, somebody newer has written: it is skipped, as keys of other
// versions are.

// maxString is the longest string that a key of version 0 can hold, in bytes.
const maxString = 1<<15 - 1

func key(id string) []byte {
	k := kmsg.TxnMetadataKey{TransactionalID: id}
	return k.AppendTo(nil)
}

func readKey(b []byte) (id string, ok bool) {
	var k kmsg.TxnMetadataKey
	if k.ReadFrom(b) != nil || k.Version != 0 {
		return "", false
	}
	return k.TransactionalID, true
}

// record is the transaction as it goes to the log. level is that of transaction.version.
func (x *transaction) record(level int16) coordinator.Record {
	v := kmsg.NewTxnMetadataValue()
	if level >= 1 || x.version >= 1 {
		v.Version = 1
	}
	v.ProducerID, v.ProducerEpoch, v.TimeoutMillis = x.producerID, x.epoch, x.timeout
	v.State, v.LastUpdateTimestamp, v.StartTimestamp = kmsg.TransactionState(x.state), x.updated, x.started
	v.PreviousProducerID, v.NextProducerID, v.ClientTransactionVersion = x.previousID, x.nextID, x.version
	if x.state != Empty { // an empty transaction has null there in Kafka, too
		v.Topics = []kmsg.TxnMetadataValueTopic{}
	}
	for topic, indexes := range wire.ByTopic(x.partitions) {
		v.Topics = append(v.Topics, kmsg.TxnMetadataValueTopic{Topic: topic, Partitions: indexes})
	}
	return coordinator.Record{Key: key(x.id), Value: v.AppendTo(nil)}
}

func tombstone(id string) coordinator.Record { return coordinator.Record{Key: key(id)} }

func readValue(id string, b []byte) (*transaction, bool) {
	var v kmsg.TxnMetadataValue
	if v.ReadFrom(b) != nil || v.Version < 0 || v.Version > 1 || v.State < 0 || State(v.State) > CompleteAbort {
		return nil, false
	}
	x := &transaction{
		id: id, producerID: v.ProducerID, epoch: v.ProducerEpoch, previousID: v.PreviousProducerID, nextID: v.NextProducerID,
		timeout: v.TimeoutMillis, state: State(v.State), started: v.StartTimestamp, updated: v.LastUpdateTimestamp,
		version: v.ClientTransactionVersion, lastEpoch: noEpoch,
	}
	for _, t := range v.Topics {
		for _, p := range t.Partitions {
			x.partitions = append(x.partitions, wire.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	x.sort() // Kafka writes them in any order
	return x, true
}
