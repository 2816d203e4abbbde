package statements

type queue chan int // want `channel type`

func run(q queue, stop <-chan struct{}) { // want `channel type`
	go run(q, stop) // want `go statement`
	q <- 1          // want `channel send`
	select {        // want `select statement`
	case <-stop: // want `channel receive`
	default:
	}
	for range q { // want `range over a channel`
	}
	close(q) // want `channel close`
	//odradek:exempt parallel seeds share nothing
	go run(q, stop)
	local(q)
}

func local(q queue) {
	close := func(queue) {}
	close(q) // another close
}

func generic[C chan int](c C) { // want `channel type`
	for range c { // want `range over a channel`
	}
}
