package client

import (
	"odradek/broker/env"
	"odradek/workloads/client/consumer"
	"odradek/workloads/client/producer"
)

// Client makes producers, consumers and admin clients with a common
// configuration.
type Client struct {
	env *env.Env
	cfg Config
}

// New makes a client on the loop of e. Nothing connects before it is used.
func New(e *env.Env, cfg Config) *Client {
	return &Client{env: e, cfg: cfg}
}

// NewProducer makes a producer.
func (c *Client) NewProducer(cfg producer.Config) *Producer { panic("first commit: API only") }

// NewConsumer makes a consumer by assignment.
func (c *Client) NewConsumer(cfg consumer.Config) *Consumer { panic("first commit: API only") }

// NewAdmin makes an admin client.
func (c *Client) NewAdmin() *Admin { panic("first commit: API only") }

// Close closes everything made by the client: connections end, and pending
// operations end with ErrClosed on a later turn of the loop.
func (c *Client) Close() { panic("first commit: API only") }
