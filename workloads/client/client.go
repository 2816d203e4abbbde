package client

import (
	"strconv"

	"odradek/broker/env"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

// Client makes producers, consumers and admin clients with a common
// configuration.
type Client struct {
	env *env.Env
	cfg Config
	// made counts the clients made, to tell their random streams apart.
	made    int
	closers []func()
}

// New makes a client on the loop of e. Nothing connects before it is used.
func New(e *env.Env, cfg Config) *Client {
	return &Client{env: e, cfg: cfg}
}

// network makes the network of the next client.
func (c *Client) network(kind string) *network {
	c.made++
	return newNetwork(c.env, c.cfg, "client/"+c.cfg.ClientID+"/"+kind+"/"+strconv.Itoa(c.made))
}

// NewProducer makes a producer.
func (c *Client) NewProducer(cfg producer.Config) *Producer {
	p := newProducer(c.network("producer"), cfg)
	c.closers = append(c.closers, p.Close)
	return p
}

// NewConsumer makes a consumer by assignment.
func (c *Client) NewConsumer(cfg consumer.Config) *Consumer {
	k := newConsumer(c.network("consumer"), cfg)
	c.closers = append(c.closers, k.Close)
	return k
}

// NewAdmin makes an admin client.
func (c *Client) NewAdmin() *Admin {
	a := newAdmin(c.network("admin"))
	c.closers = append(c.closers, a.Close)
	return a
}

// Close closes everything made by the client: connections end, and pending
// operations end with ErrClosed on a later turn of the loop.
func (c *Client) Close() {
	for _, closeOne := range c.closers {
		closeOne()
	}
	c.closers = nil
}
