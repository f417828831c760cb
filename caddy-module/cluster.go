package websocket

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Cluster is where servers meet that work as one: docs/scaling.md.
type Cluster struct {
	// Address is that of a Redis or Valkey server: redis://host:6379, rediss://host:6379 with TLS, unix:///path/to/socket, or
	// redis+sentinel://host:26379,host:26379/master; user:password@ may stand before the host. Placeholders as {env.REDIS_URL} are replaced.
	Address string `json:"address"`
	// Prefix is what keys and channels begin with. Servers with the same one are one cluster. Default: fws.
	Prefix string `json:"prefix,omitempty"`
	// Timeout is how long a call waits for other servers. Default: 1s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
	// Lease is after how long a silence a server is believed to be dead. Default: 9s.
	Lease caddy.Duration `json:"lease,omitempty"`
	// Label is what other servers, and people, are told of this one. Default: the name of its host.
	Label string `json:"label,omitempty"`
	// CA is a file with certificates (PEM) of who vouches for that of Redis, where it is reached with TLS. Default: those that the system trusts.
	CA string `json:"ca,omitempty"`
}

var (
	clusterAddress = regexp.MustCompile(`^(redis|rediss|redis\+sentinel|rediss\+sentinel|unix|redis\+unix)://.`)
	clusterPort    = regexp.MustCompile(`:(\d+)$`)
	clusterPrefix  = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)
)

// resolved is the same with its placeholders replaced and its defaults filled in.
func (c *Cluster) resolved() *Cluster {
	if c == nil {
		return nil
	}
	own := *c
	own.Address = caddy.NewReplacer().ReplaceAll(c.Address, "")
	if own.Label == "" {
		own.Label, _ = os.Hostname()
	}

	return &own
}

// check refuses what no cluster can be. Its errors do not repeat the address, which may have a password in it.
func (c *Cluster) check() error {
	if c == nil {
		return nil
	}
	address := c.resolved().Address
	switch {
	case address == "":
		return errors.New("cluster: the address is empty: is its environment variable set?")
	case !clusterAddress.MatchString(address):
		return errors.New("cluster takes the address of a Redis or Valkey server: redis://host:6379, rediss://host:6379 with TLS, unix:///path/to/socket, or redis+sentinel://host:26379,host:26379/master")
	case strings.Contains(address, "#"):
		return errors.New("cluster: an address has no #: certificates are always looked at; the option ca names the authority of your own ones")
	case !legalPort(address):
		return errors.New("cluster: the port of the address is not between 1 and 65535")
	case strings.Contains(address, "+sentinel://") && !strings.Contains(address[strings.Index(address, "://")+3:], "/"):
		return errors.New("cluster: after the sentinels comes the name of the master, as in redis+sentinel://host:26379/mymaster")
	case c.Prefix != "" && !clusterPrefix.MatchString(c.Prefix):
		return fmt.Errorf("the prefix of cluster has 1 to 64 letters, digits, and any of - _ . : and is not %q", shortened(c.Prefix))
	case c.Timeout != 0 && (time.Duration(c.Timeout) < 50*time.Millisecond || time.Duration(c.Timeout) > 30*time.Second):
		return fmt.Errorf("the timeout of cluster is 50ms to 30s, not %s", time.Duration(c.Timeout))
	case c.Lease != 0 && (time.Duration(c.Lease) < 2*time.Second || time.Duration(c.Lease) > time.Minute):
		return fmt.Errorf("the lease of cluster is 2s to 60s, not %s", time.Duration(c.Lease))
	}

	return nil
}

// legalPort says whether the port of an address, if it has one, can be one.
func legalPort(address string) bool {
	host := address[strings.LastIndex(address, "@")+1:]
	host, _, _ = strings.Cut(host[strings.Index(host, "://")+1:], "/")
	port := clusterPort.FindStringSubmatch(strings.TrimPrefix(host, "//"))
	if port == nil {
		return true
	}
	number, err := strconv.Atoi(port[1])

	return err == nil && number > 0 && number <= 65535
}

func (c *Cluster) options() []option {
	return []option{
		{name: "prefix", syntax: "<name>", read: into(&c.Prefix, word)},
		{name: "timeout", syntax: "<duration>", read: into(&c.Timeout, duration)},
		{name: "lease", syntax: "<duration>", read: into(&c.Lease, duration)},
		{name: "label", syntax: "<text>", read: into(&c.Label, word)},
		{name: "ca", syntax: "<file>", read: into(&c.CA, word)},
	}
}

// parseCluster reads where servers meet, and the block, which may be left out.
func parseCluster(d *caddyfile.Dispenser) (*Cluster, error) {
	at := here(d)
	address, err := word(d)
	if err != nil {
		return nil, err
	}
	cluster := &Cluster{Address: address}
	if err := readBlock(d, "cluster", cluster.options()); err != nil {
		return nil, err
	}
	// A placeholder may be filled in only where the configuration runs.
	if !strings.Contains(address, "{") {
		if err := cluster.check(); err != nil {
			return nil, at.errorf("%w", err)
		}
	}

	return cluster, nil
}
