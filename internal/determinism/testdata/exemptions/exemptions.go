package exemptions

func ranges(m map[string]int) {
	for k := range m { //odradek:unordered
		_ = k // want-1 `exemption without a reason`
	}
	//odradek:unordered
	for k := range m { // want-1 `exemption without a reason`
		_ = k
	}
	for k := range m { /* want `range over a map` `this exempts nothing` */ //odradek:exempt the wrong kind
		_ = k
	}
	for k := range m { /* want `unknown exemption "ordered"` `range over a map` */ //odradek:ordered no such kind
		_ = k
	}
	//odradek:exempt there is nothing below // want `this exempts nothing`
	n := len(m)
	for k := range m { //odradek:unordered covers this line only
		for l := range m { // want `range over a map`
			n += len(k) + len(l)
		}
	}

	//odradek:unordered too far away // want `this exempts nothing`

	for k := range m { // want `range over a map`
		_ = k
	}
	var keys []string
	for k := range m { //odradek:unordered the analyzer sees it, the reader may not
		keys = append(keys, k)
	}
	sortStrings(keys)
}

func sortStrings([]string) {}
