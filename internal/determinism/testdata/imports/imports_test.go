package imports

import "sync"

var _ sync.Mutex // tests are not bound
