package simulated

import (
	"embed"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.yaml.in/yaml/v3"

	"odradek/bench"
	simdisk "odradek/sim/disk"
)

//go:embed profiles/*.yaml
var profiles embed.FS

// Profile is what machines and networks cost: a file that people read.
type Profile struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	// Cores of each machine.
	Cores int `yaml:"cores"`
	// OneMachine has all brokers and clients share one machine's cores. Otherwise each
	// broker has a machine, and all clients together have another.
	OneMachine bool    `yaml:"oneMachine"`
	Network    Network `yaml:"network"`
	Disk       Disk    `yaml:"disk"`
	Broker     Costs   `yaml:"broker"`
	Client     Costs   `yaml:"client"`
}

// Network is what lies between two processes.
type Network struct {
	// Latency from the last byte written to the first that can be read, Jitter the most
	// that is added to it.
	Latency time.Duration `yaml:"latency"`
	Jitter  time.Duration `yaml:"jitter"`
	// BytesPerSecond in each direction; 0 is unlimited.
	BytesPerSecond int64 `yaml:"bytesPerSecond"`
	// Window is how many bytes of a connection may be under way.
	Window int `yaml:"window"`
	// Handover is the time, not computing, from the wake-up of a thread that reads until
	// the loop has what was read.
	Handover time.Duration `yaml:"handover"`
	// TimerSlack is how late a client's timer fires.
	TimerSlack time.Duration `yaml:"timerSlack"`
	// Regions, if any, are latencies between regions, row by row. Broker i is in region
	// i-1 modulo their number, clients in the first. Latency holds within a region.
	Regions [][]time.Duration `yaml:"regions"`
}

// Disk is a machine's disk.
type Disk struct {
	WriteLatency         time.Duration `yaml:"writeLatency"` // into the page cache, with the wake-ups of threads
	ReadLatency          time.Duration `yaml:"readLatency"`  // of what is not in the page cache
	MetaLatency          time.Duration `yaml:"metaLatency"`  // open, rename, remove
	CacheBytesPerSecond  int64         `yaml:"cacheBytesPerSecond"`
	ReadBytesPerSecond   int64         `yaml:"readBytesPerSecond"`
	SyncedBytesPerSecond int64         `yaml:"syncedBytesPerSecond"`
	// Fdatasync are latencies of flushes besides the bytes, at equal shares from the least
	// to the greatest: 5 of them are minimum, quartiles and maximum.
	Fdatasync []time.Duration `yaml:"fdatasync"`
}

// Costs are computing times of one kind of process.
type Costs struct {
	// Read is a wake-up of a thread that reads a socket, and the bytes; Write the same for
	// what is written, Sendfile for what goes from the page cache.
	Read     Cost `yaml:"read"`
	Write    Cost `yaml:"write"`
	Sendfile Cost `yaml:"sendfile"`
	// FileOp is a system call on a file, and its bytes.
	FileOp     Cost `yaml:"fileOp"`
	Copy       Cost `yaml:"copy"`
	Checksum   Cost `yaml:"checksum"`
	Compress   Cost `yaml:"compress"`
	Decompress Cost `yaml:"decompress"`
	// Requests are what a request costs the loop besides all that, by API, "other" for
	// those without their own: brokers to serve it, clients to make it.
	Requests map[string]time.Duration `yaml:"requests"`
	// Answer is what it costs to take the answer to one's own request.
	Answer time.Duration `yaml:"answer"`
	// Wake is what it costs a client to wake up for the next record.
	Wake time.Duration `yaml:"wake"`
	// ProduceRecord and ConsumeRecord are a client's costs of a record.
	ProduceRecord Cost `yaml:"produceRecord"`
	ConsumeRecord Cost `yaml:"consumeRecord"`

	byAPI map[int16]time.Duration
}

// Cost is the price of a kind of work: for each time, and for 1024 bytes.
type Cost struct {
	Each  time.Duration `yaml:"each"`
	PerKB time.Duration `yaml:"perKB"`
}

func (c Cost) of(n int) time.Duration { return c.Each + c.bytes(n) }

func (c Cost) bytes(n int) time.Duration {
	return time.Duration(int64(n) * int64(c.PerKB) / 1024)
}

func (c *Costs) request(api int16) time.Duration {
	if d, ok := c.byAPI[api]; ok {
		return d
	}
	return c.Requests[other]
}

const other = "other"

// ParseProfile reads a profile. Unknown fields are errors.
func ParseProfile(text []byte) (Profile, error) {
	var p Profile
	if err := bench.Decode(text, &p); err != nil {
		return Profile{}, fmt.Errorf("profile: %w", err)
	}
	if err := p.check(); err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	return p, nil
}

// BuiltIn is the profile of that name among [Profiles].
func BuiltIn(name string) (Profile, error) {
	text, err := profiles.ReadFile("profiles/" + name + ".yaml")
	if err != nil {
		return Profile{}, fmt.Errorf("no profile %q; there are %s, and files that odradek bench calibrate writes", name, strings.Join(Profiles(), ", "))
	}
	return ParseProfile(text)
}

// Profiles are the names of those that come with the program, sorted.
func Profiles() []string {
	entries, err := profiles.ReadDir("profiles")
	if err != nil {
		panic(err) // they are embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), path.Ext(e.Name())))
	}
	return names
}

func (p *Profile) check() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(p.Name == "", "name is empty")
	wrong(p.Cores < 1, "cores: %d, want 1 or more", p.Cores)
	n := &p.Network
	wrong(n.Latency <= 0, "network.latency: %v, want more than 0", n.Latency)
	wrong(n.Window < 1<<16, "network.window: %d, want 65536 or more", n.Window)
	wrong(n.Jitter < 0 || n.Handover < 0 || n.TimerSlack < 0 || n.BytesPerSecond < 0, "network: nothing may be negative")
	for _, row := range n.Regions {
		wrong(len(row) != len(n.Regions), "network.regions: a row of %d of %d", len(row), len(n.Regions))
		for _, d := range row {
			wrong(d < 0, "network.regions: %v", d)
		}
	}
	d := &p.Disk
	wrong(len(d.Fdatasync) < 2, "disk.fdatasync: %d latencies, want 2 or more", len(d.Fdatasync))
	for i := 1; i < len(d.Fdatasync); i++ {
		wrong(d.Fdatasync[i] < d.Fdatasync[i-1], "disk.fdatasync: %v after %v", d.Fdatasync[i], d.Fdatasync[i-1])
	}
	wrong(d.CacheBytesPerSecond <= 0 || d.ReadBytesPerSecond <= 0 || d.SyncedBytesPerSecond <= 0, "disk: bandwidths must be more than 0")
	for _, side := range []struct {
		name  string
		costs *Costs
	}{{"broker", &p.Broker}, {"client", &p.Client}} {
		c := side.costs
		_, ok := c.Requests[other]
		wrong(!ok, "%s.requests: there is no %q", side.name, other)
		for _, x := range []Cost{c.Read, c.Write, c.Sendfile, c.FileOp, c.Copy, c.Checksum, c.Compress, c.Decompress, c.ProduceRecord, c.ConsumeRecord} {
			wrong(x.Each < 0 || x.PerKB < 0, "%s: a cost is negative", side.name)
		}
		errs = append(errs, c.index(side.name))
	}
	return errors.Join(errs...)
}

// index finds the APIs that the costs name.
func (c *Costs) index(side string) error {
	keys := make(map[string]int16)
	for key := range kmsg.MaxKey + 1 {
		keys[kmsg.NameForKey(int16(key))] = int16(key)
	}
	c.byAPI = make(map[int16]time.Duration)
	var errs []error
	for name, d := range c.Requests {
		key, ok := keys[name]
		if !ok && name != other {
			errs = append(errs, fmt.Errorf("%s.requests: no API %q", side, name))
		}
		if ok {
			c.byAPI[key] = d
		}
	}
	return errors.Join(errs...)
}

// device is the simulated disk.
func (d *Disk) device() simdisk.Config {
	return simdisk.Config{
		ReadLatency: d.ReadLatency, WriteLatency: d.WriteLatency, MetaLatency: d.MetaLatency,
		SyncLatency: d.Fdatasync[len(d.Fdatasync)/2], SyncQuantiles: d.Fdatasync,
		ReadBytes: d.ReadBytesPerSecond, CacheBytes: d.CacheBytesPerSecond, SyncBytes: d.SyncedBytesPerSecond,
	}
}

// factor is how many times the latency within a region lies between two.
func (n *Network) factor(from, to int) int {
	d := n.Regions[from%len(n.Regions)][to%len(n.Regions)]
	return max(1, int(math.Round(float64(d)/float64(n.Latency))))
}

// Load is the profile that an argument names: one of [Profiles], this-machine as calibrate
// has left it, or a file.
func Load(name string) (Profile, error) {
	file := name
	if name == ThisMachine {
		var err error
		if file, err = Calibrated(); err != nil {
			return Profile{}, err
		}
	} else if !strings.HasSuffix(name, ".yaml") {
		return BuiltIn(name)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		if name == ThisMachine && errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%w; odradek bench calibrate makes it", err)
		}
		return Profile{}, fmt.Errorf("profile %s: %w", name, err)
	}
	return ParseProfile(text)
}

// ThisMachine names the profile of the machine that the program runs on.
const ThisMachine = "this-machine"

// Calibrated is the file where the profile of this machine is.
func Calibrated() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "odradek", ThisMachine+".yaml"), nil
}

// Text is the profile as a file.
func (p *Profile) Text() ([]byte, error) { return yaml.Marshal(p) }

// Again is the profile as it is read back, after its fields were changed.
func (p *Profile) Again() (Profile, error) {
	text, err := p.Text()
	if err != nil {
		return Profile{}, err
	}
	return ParseProfile(text)
}
