package imports

import (
	_ "crypto/rand"  // want `import of crypto/rand: random numbers come from env.Rand`
	_ "hash/maphash" // want `import of hash/maphash: its seed differs in each process`
	_ "log"          // want `import of log: events go to env.Tracer`
	_ "math/rand/v2"
	_ "net"     // want `import of net: the world is behind env`
	_ "net/url" // only data
	_ "os"      // want `import of os: `
	_ "os/exec" // want `import of os/exec: `
	_ "sync"    // want `import of sync: a node is one loop`
	//odradek:exempt counts references of a value that realenv shares
	_ "sync/atomic"
	_ "unsafe"
)
