import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;

/** What a job tells while it works (program_job_test.go). */
class Telling {
    private final ObjectMapper json;
    private final BufferedReader lines;
    private final PrintStream answers;
    private boolean going = true;

    Telling(ObjectMapper json, BufferedReader lines, PrintStream answers) {
        this.json = json;
        this.lines = lines;
        this.answers = answers;
    }

    /** Whether it is not yet time to stop. */
    boolean going() {
        return going;
    }

    ObjectNode event(String name) {
        return json.createObjectNode().put("event", name);
    }

    /** Tells an event and waits until it has been taken down. */
    void tell(ObjectNode event) {
        try {
            answers.println(json.writeValueAsString(event));
            going &= json.readTree(lines.readLine()).get("go").asBoolean();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
