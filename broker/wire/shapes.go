package wire

// shapes has the fields of every request that is served, from Kafka's message
// definitions. A test holds it against kmsg's encoder in every version.
//
//	1 2 4 8 16   a field of so many bytes
//	s y          a string, bytes
//	x*           an array of x
//	[...]        an array of structures
//	(...)        a structure
//	?            in front: may be null (in some version)
//	@3+ @0-12    in these versions only
//	#2           at the end: tagged fields 0 and 1 are known
//
// Tagged fields are not listed: their sizes stand in the frame.
var shapes = map[int16]shape{
	0:  parseShape("?s@3+ 2 4 [s@0-12 16@13+ [4 ?y]]"),                                                                         // Produce
	1:  parseShape("4@0-14 4 4 4@3+ 1@4+ 4@7+ 4@7+ [s@0-12 16@13+ [4 4@9+ 8 4@12+ 8@5+ 4 #2]] [s@7-12 16@13+ 4*]@7+ s@11+ #2"), // Fetch
	2:  parseShape("4 1@2+ [s [4 4@4+ 8 4@0-0]] 4@10+"),                                                                        // ListOffsets
	3:  parseShape("?[16@10+ ?s] 1@4+ 1@8-10 1@8+"),                                                                            // Metadata
	8:  parseShape("s 4@1+ s@1+ ?s@7+ 8@2-4 [s@0-9 16@10+ [4 8 8@1-1 4@6+ ?s]]"),                                               // OffsetCommit
	9:  parseShape("s@0-7 ?[s 4*]@0-7 [s ?s@9+ 4@9+ ?[s@8-9 16@10+ 4*]]@8+ 1@7+"),                                              // OffsetFetch
	10: parseShape("s@0-3 1@1+ s*@4+"),                                                                                         // FindCoordinator
	11: parseShape("s 4 4@1+ s ?s@5+ s [s y] ?s@8+"),                                                                           // JoinGroup
	12: parseShape("s 4 s ?s@3+"),                                                                                              // Heartbeat
	13: parseShape("s s@0-2 [s ?s ?s@5+]@3+"),                                                                                  // LeaveGroup
	14: parseShape("s 4 s ?s@3+ ?s@5+ ?s@5+ [s y]"),                                                                            // SyncGroup
	15: parseShape("s* 1@3+"),                                                                                                  // DescribeGroups
	16: parseShape("s*@4+ s*@5+"),                                                                                              // ListGroups
	17: parseShape("s"),                                                                                                        // SASLHandshake
	18: parseShape("s@3+ s@3+ ?s@5+ 4@5+"),                                                                                     // ApiVersions
	19: parseShape("[s 4 2 [4 4*] [s ?s]] 4 1@1+"),                                                                             // CreateTopics
	20: parseShape("s*@0-5 [?s 16]@6+ 4"),                                                                                      // DeleteTopics
	21: parseShape("[s [4 8]] 4"),                                                                                              // DeleteRecords
	22: parseShape("?s 4 8@3+ 2@3+"),                                                                                           // InitProducerID
	23: parseShape("4@3+ [s [4 4@2+ 4]]"),                                                                                      // OffsetForLeaderEpoch
	24: parseShape("s@0-3 8@0-3 2@0-3 [s 4*]@0-3 [s 8 2 1 [s 4*]]@4+"),                                                         // AddPartitionsToTxn
	25: parseShape("s 8 2 s"),                                                                                                  // AddOffsetsToTxn
	26: parseShape("s 8 2 1"),                                                                                                  // EndTxn
	27: parseShape("[8 2 1 [s 4*] 4 1@2+]"),                                                                                    // WriteTxnMarkers
	28: parseShape("s s 8 2 4@3+ s@3+ ?s@3+ [s@0-5 16@6+ [4 8 4@2+ ?s]]"),                                                      // TxnOffsetCommit
	29: parseShape("1 ?s 1@1+ ?s ?s 1 1"),                                                                                      // DescribeACLs
	30: parseShape("[1 s 1@1+ s s 1 1]"),                                                                                       // CreateACLs
	31: parseShape("[1 ?s 1@1+ ?s ?s 1 1]"),                                                                                    // DeleteACLs
	32: parseShape("[1 s ?s*] 1@1+ 1@3+"),                                                                                      // DescribeConfigs
	33: parseShape("[1 s [s ?s]] 1"),                                                                                           // AlterConfigs
	34: parseShape("[s [s 4*]]"),                                                                                               // AlterReplicaLogDirs
	35: parseShape("?[s 4*]"),                                                                                                  // DescribeLogDirs
	36: parseShape("y"),                                                                                                        // SASLAuthenticate
	37: parseShape("[s 4 ?[4*]] 4 1"),                                                                                          // CreatePartitions
	42: parseShape("s*"),                                                                                                       // DeleteGroups
	43: parseShape("1@1+ ?[s 4*] 4"),                                                                                           // ElectLeaders
	44: parseShape("[1 s [s 1 ?s]] 1"),                                                                                         // IncrementalAlterConfigs
	45: parseShape("4 1@1+ [s [4 ?4*]]"),                                                                                       // AlterPartitionAssignments
	46: parseShape("4 ?[s 4*]"),                                                                                                // ListPartitionReassignments
	47: parseShape("s [s [4]]"),                                                                                                // OffsetDelete
	48: parseShape("[s 1 ?s] 1"),                                                                                               // DescribeClientQuotas
	49: parseShape("[[s ?s] [s 8 1]] 1"),                                                                                       // AlterClientQuotas
	50: parseShape("?[s]"),                                                                                                     // DescribeUserSCRAMCredentials
	51: parseShape("[s 1] [s 1 4 y y]"),                                                                                        // AlterUserSCRAMCredentials
	52: parseShape("?s 4@1+ [s [4 4 4 16@1+ 16@1+ 4 8 1@2+]]"),                                                                 // Vote
	53: parseShape("?s 4@1+ [s [4 16@1+ 4 4]] [s s 2]@1+"),                                                                     // BeginQuorumEpoch
	54: parseShape("?s [s [4 4 4 4*@0-0 [4 16]@1+]] [s s 2]@1+"),                                                               // EndQuorumEpoch
	55: parseShape("[s [4]]"),                                                                                                  // DescribeQuorum
	56: parseShape("4 8 [s@0-1 16@2+ [4 4 4*@0-2 [4 8]@3+ 1@1+ 4]]"),                                                           // AlterPartition
	57: parseShape("4 [s 2 1@0-0 1@1+] 1@1+"),                                                                                  // UpdateFeatures
	58: parseShape("y ?y y"),                                                                                                   // Envelope
	59: parseShape("4 4 [s [4 4 (8 4) 8 #1]] #1"),                                                                              // FetchSnapshot
	60: parseShape("1 1@1+ 1@2+"),                                                                                              // DescribeCluster
	61: parseShape("[s 4*]"),                                                                                                   // DescribeProducers
	62: parseShape("4 s 16 [s s 2 2] [s 2 2] ?s 1@1+ 16*@2+ 8@3+"),                                                             // BrokerRegistration
	63: parseShape("4 8 8 1 1 #2"),                                                                                             // BrokerHeartbeat
	64: parseShape("4"),                                                                                                        // UnregisterBroker
	65: parseShape("s*"),                                                                                                       // DescribeTransactions
	66: parseShape("s* 8* 8@1+ ?s@2+"),                                                                                         // ListTransactions
	67: parseShape("4 8"),                                                                                                      // AllocateProducerIDs
	68: parseShape("s s 4 ?s ?s 4 ?s* ?s@1+ ?s ?[16 4*]"),                                                                      // ConsumerGroupHeartbeat
	69: parseShape("s* 1"),                                                                                                     // ConsumerGroupDescribe
	74: parseShape("1*@1+"),                                                                                                    // ListConfigResources
	75: parseShape("[s] 4 ?(s 4)"),                                                                                             // DescribeTopicPartitions
}
