import java.io.File;
import java.util.List;
import org.apache.kafka.metadata.properties.MetaProperties;
import org.apache.kafka.metadata.properties.MetaPropertiesEnsemble;
import org.apache.kafka.raft.FileQuorumStateStore;
import org.apache.kafka.storage.internals.checkpoint.LeaderEpochCheckpointFile;
import org.apache.kafka.storage.internals.checkpoint.OffsetCheckpointFile;
import org.apache.kafka.storage.internals.checkpoint.PartitionMetadataFile;
import org.apache.kafka.storage.internals.log.EpochEntry;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;

/** Reads the small files of a data directory with Kafka's own classes and prints what they say. */
public class Checkpoints {
    public static void main(String[] args) throws Exception {
        File dir = new File(args[0]);
        LogDirFailureChannel failures = new LogDirFailureChannel(1);

        MetaProperties meta = new MetaPropertiesEnsemble.Loader().addLogDirs(List.of(dir.getPath()))
            .addMetadataLogDir(dir.getPath()).load().logDirProps().get(dir.getPath());
        System.out.printf("meta.properties %s node %d directory %s%n",
            meta.version(), meta.nodeId().getAsInt(), meta.directoryId().isPresent());
        for (File f : dir.listFiles()) {
            if (f.isFile() && f.getName().endsWith("-checkpoint")) {
                // Kafka names the file in its error if it cannot read it.
                new OffsetCheckpointFile(f, failures).read()
                    .forEach((tp, offset) -> System.out.printf("%s %s %d%n", f.getName(), tp, offset));
            }
        }
        for (File partition : dir.listFiles(File::isDirectory)) {
            String name = partition.getName();
            File quorum = new File(partition, FileQuorumStateStore.DEFAULT_FILE_NAME);
            if (quorum.exists()) {
                System.out.printf("%s %s%n", name, new FileQuorumStateStore(quorum).readElectionState().get());
            }
            System.out.printf("%s topic id %s%n",
                name, new PartitionMetadataFile(PartitionMetadataFile.newFile(partition), failures).read().topicId());
            for (EpochEntry e : new LeaderEpochCheckpointFile(LeaderEpochCheckpointFile.newFile(partition), failures).read()) {
                System.out.printf("%s epoch %d starts at %d%n", name, e.epoch(), e.startOffset());
            }
        }
    }
}
