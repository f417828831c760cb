package websocket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	bridge "github.com/frankenphp-ws/frankenphp-ws/go-bridge"
)

// The headers of an accepting answer: that it accepts, and what it gives the connection. They are not sent on to the client.
// The values of the latter are percent-encoded, as by PHP's rawurlencode(), so that they can carry any bytes.
const (
	grantPrefix = "Websocket-"

	grantAuthorize = grantPrefix + "Authorize" // grantYes, and nothing else
	grantYes       = "accept"

	grantID          = grantPrefix + "Id"          // the id
	grantSubprotocol = grantPrefix + "Subprotocol" // one of those the client offered
	grantTags        = grantPrefix + "Tags"        // a list: vip, group%201
	grantInformation = grantPrefix + "Information" // a list of pairs: name=J%C3%BCrgen, role=admin
	grantUser        = grantPrefix + "User"        // whose the connection is
	grantUserInfo    = grantPrefix + "User-Info"   // what channels tell of the user
)

// grants are all of them.
var grants = []string{grantAuthorize, grantID, grantSubprotocol, grantTags, grantInformation, grantUser, grantUserInfo}

// saysYes tells why an answer of 2xx does not say yes, if it does not. The status alone says nothing: Caddy, PHP and
// applications answer 200 in many ways that have nothing to do with the question, and by mistake, too.
func saysYes(header http.Header) error {
	switch lines := header[grantAuthorize]; {
	case len(lines) == 0:
		return errors.New("it has no header WebSocket-Authorize")
	case len(lines) > 1:
		return fmt.Errorf("it has the header WebSocket-Authorize %d times", len(lines))
	case strings.Trim(lines[0], " \t") != grantYes:
		return fmt.Errorf("its header WebSocket-Authorize is %q, which is not %q", shortened(lines[0]), grantYes)
	default:
		return nil
	}
}

// grant gives a handshake what the headers of the site's answer say. What cannot be given refuses the connection: it is to
// have all of it or not to be opened. status is what an error means to the client.
func grant(ctx context.Context, handshake *bridge.Handshake, header http.Header) (status int, err error) {
	for name := range header {
		if strings.HasPrefix(name, grantPrefix) && !slices.Contains(grants, name) {
			return http.StatusInternalServerError, fmt.Errorf("the answer has a header %s, which means nothing: there are WebSocket-Authorize, WebSocket-Id, WebSocket-Subprotocol, WebSocket-Tags, WebSocket-Information, WebSocket-User and WebSocket-User-Info", name)
		}
	}

	err = errors.Join(
		eachMember(header, grantTags, func(member string) error {
			tag, err := unquote(member)
			if err != nil {
				return err
			}

			return handshake.AddTag(tag)
		}),
		eachMember(header, grantInformation, func(member string) error {
			key, value, found := strings.Cut(member, "=")
			if !found {
				return errors.New("it is a list of key=value")
			}
			key, keyErr := unquote(key)
			value, valueErr := unquote(value)
			if err := errors.Join(keyErr, valueErr); err != nil {
				return err
			}

			return handshake.SetInformation(key, value)
		}),
		only(header, grantSubprotocol, handshake.SetSubprotocol),
		setUser(handshake, header),
		only(header, grantID, func(id string) error { return setID(ctx, handshake, id) }),
	)

	switch {
	case err == nil:
		return 0, nil
	case errors.Is(err, bridge.ErrIDTaken), errors.Is(err, bridge.ErrIDLeaving):
		return http.StatusConflict, err
	case errors.Is(err, bridge.ErrCluster):
		return http.StatusServiceUnavailable, err
	default:
		return http.StatusInternalServerError, err
	}
}

// setUser says whose a connection is. What channels tell of the user needs a user.
func setUser(handshake *bridge.Handshake, header http.Header) error {
	var info string
	err := only(header, grantUserInfo, func(given string) error {
		if len(header[grantUser]) == 0 {
			return errors.New("it needs the header WebSocket-User")
		}
		info = given

		return nil
	})

	return errors.Join(err, only(header, grantUser, func(user string) error { return handshake.SetUser(user, info) }))
}

// newsOfTheEnd is how long the news that a client has gone may take to arrive after that client has come again.
const newsOfTheEnd = 200 * time.Millisecond

// setID gives a handshake an id. One whose client is gone is free when PHP has handled the close event of that client, which is
// waited for until ctx ends: mostly it is the same page that has just been loaded again.
func setID(ctx context.Context, handshake *bridge.Handshake, id string) error {
	began := time.Now()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := handshake.SetID(id)
		waits := errors.Is(err, bridge.ErrIDLeaving) || errors.Is(err, bridge.ErrIDTaken) && time.Since(began) < newsOfTheEnd
		if !waits {
			return err
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// eachMember calls give for each member of a header that is a list, over all its lines.
func eachMember(header http.Header, name string, give func(member string) error) error {
	for _, line := range header[name] {
		for member := range strings.SplitSeq(line, ",") {
			if member = strings.Trim(member, " \t"); member == "" {
				continue
			}
			if err := give(member); err != nil {
				if name == grantInformation { // what is stored may be secret, its key is not
					member, _, _ = strings.Cut(member, "=")
				}

				return fmt.Errorf("%s, %q: %w", name, shortened(member), err)
			}
		}
	}

	return nil
}

// only calls give with the value of a header that is there at most once.
func only(header http.Header, name string, give func(value string) error) error {
	lines := header[name]
	if len(lines) == 0 {
		return nil
	}
	if len(lines) > 1 {
		return fmt.Errorf("%s is given %d times", name, len(lines))
	}

	value, err := unquote(strings.Trim(lines[0], " \t"))
	if err == nil {
		err = give(value)
	}
	if err != nil {
		return fmt.Errorf("%s, %q: %w", name, shortened(lines[0]), err)
	}

	return nil
}

// unquote undoes PHP's rawurlencode(). What that would have encoded, but for the harmless, is not accepted: it shows that the
// value was not encoded, and would one day hold a percent sign or a comma.
func unquote(text string) (string, error) {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return "", errors.New("only visible ASCII may stand there as it is; encode values with rawurlencode()")
		}
	}

	return url.PathUnescape(text)
}

// shortened keeps a value from filling the log.
func shortened(text string) string {
	const most = 80
	if len(text) > most {
		return text[:most] + "…"
	}

	return text
}
