// Package register decides whether what clients did with small registers is
// linearizable: whether each operation can be thought to happen at one instant between
// its call and its return.
//
// Three things of a cluster are registers:
//
//   - the committed offset of a group in a partition ([Offsets]): commits write it,
//     fetches read it;
//   - the value of a config ([Configs]): alterations write it, descriptions read it;
//   - the producer id and epoch of a transactional id ([Epochs]): each initialisation
//     gets one that is newer than all before it.
//
// Each of these functions makes operations of a history, resolving what is unknown as far
// as the history tells: a write of unknown outcome that nobody has read is left out, and
// one that was read ends with its last reader, for later it makes no difference. [Check]
// decides with Porcupine, which searches, so that it gets windows: whenever an operation
// had the register for itself, the state after it is known, and what comes later does not
// depend on what came before. A search that would take too long ends ([Budget]) and decides
// nothing, which the [Report] counts; no verdict depends on the wall clock.
//
// A reader that may have asked a coordinator that had been replaced, or a broker that lags
// behind, sees some value that was there until it got it, and says nothing about the
// order of the others: it is judged by itself.
//
// It imports checker/history, the ids of broker/wire and Porcupine. Start at op.go.
//
// # Rejected
//
// One model for all registers at once: the history of each is short, of all of them
// together it is not. Leaving unknown writes open until the end: nothing had the register
// for itself any more. Stamping with time: see checker/history.
package register
