package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/command"
)

// endpoint is a method of a resource.
type endpoint struct {
	method, pattern string
	// query names the parameters it knows. Others are refused: to overlook `exept` would send to whom it was to leave out.
	query  []string
	handle func(*call) error
}

// endpoints are all of them. docs/admin-api.md has the same table.
var endpoints = []endpoint{
	{"GET", "/websocket/clients", []string{"route", "tag", "expression", "user", "count", "information", "operator", "value"}, listClients},
	{"GET", "/websocket/clients/{id}", nil, getClient},
	{"PATCH", "/websocket/clients/{id}", nil, patchClient},
	{"DELETE", "/websocket/clients/{id}", []string{"code", "reason", "kill"}, deleteClient},
	{"GET", "/websocket/clients/{id}/ping", nil, getPing},
	{"GET", "/websocket/clients/{id}/tags", nil, getClientTags},
	{"DELETE", "/websocket/clients/{id}/tags", nil, clearClientTags},
	{"GET", "/websocket/clients/{id}/tags/{tag}", nil, hasTag},
	{"PUT", "/websocket/clients/{id}/tags/{tag}", []string{"since", "member"}, putTag},
	{"DELETE", "/websocket/clients/{id}/tags/{tag}", nil, deleteTag},
	{"GET", "/websocket/clients/{id}/information", nil, getAllInformation},
	{"DELETE", "/websocket/clients/{id}/information", nil, clearInformation},
	{"GET", "/websocket/clients/{id}/information/{key}", nil, getInformation},
	{"PUT", "/websocket/clients/{id}/information/{key}", nil, putInformation},
	{"DELETE", "/websocket/clients/{id}/information/{key}", nil, deleteInformation},
	{"POST", "/websocket/messages", []string{"client", "tag", "expression", "user", "all", "route", "except", "binary"}, postMessage},
	{"POST", "/websocket/channels/{channel}/events/{event}", []string{"app", "except"}, postEvent},
	{"GET", "/websocket/tags", nil, getTags},
	{"PUT", "/websocket/clients/{id}/user/{user}", nil, putUser},
	{"DELETE", "/websocket/clients/{id}/user", nil, deleteUser},
	{"DELETE", "/websocket/users/{user}", []string{"code", "reason", "route"}, disconnectUser},
	{"GET", "/websocket/presence/{tag}", []string{"route"}, getPresence},
	{"GET", "/websocket/histories/{tag}", []string{"limit", "since", "route"}, getHistory},
	{"DELETE", "/websocket/histories/{tag}", []string{"route"}, deleteHistory},
	{"GET", "/websocket/routes", nil, getRoutes},
	{"GET", "/websocket/stats", nil, getStats},
	{"GET", "/websocket/values/{key}", nil, getValue},
	{"PUT", "/websocket/values/{key}", []string{"expire"}, putValue},
	{"DELETE", "/websocket/values/{key}", nil, deleteValue},
	{"GET", "/websocket/values/{key}/expiry", nil, getExpiry},
	{"POST", "/websocket/values/{key}/increment", []string{"by"}, incrementValue},
	{"POST", "/websocket/timers", []string{"delay", "repeat", "worker", "name"}, postTimer},
	{"DELETE", "/websocket/timers/{timer}", nil, deleteTimer},
	{"POST", "/websocket/commands", nil, postCommand},
}

func listClients(c *call) error {
	route, information := c.optional("route"), c.optional("information")
	count, err := c.flag("count")
	if err != nil {
		return err
	}

	if information == nil {
		if c.query.Has("operator") || c.query.Has("value") {
			return badRequest("operator and value are for a search: information=KEY&operator=OPERATOR&value=VALUE")
		}
		of, err := c.group()
		if err != nil {
			return err
		}
		name := "list"
		if count {
			name = "count"
		}

		return c.answer(command.Of(name, map[string]any{"of": of, "route": route}))
	}

	if c.query.Has("tag") || c.query.Has("expression") || c.query.Has("user") || count {
		return badRequest("a search by information takes operator, value and route, and none of tag, expression, user and count")
	}
	if !c.query.Has("operator") || !c.query.Has("value") {
		return badRequest("a search by information needs operator and value: information=KEY&operator=OPERATOR&value=VALUE")
	}

	return c.answer(command.Of("search_information", map[string]any{
		"key": information, "operator": c.query.Get("operator"), "value": command.Bytes(c.query.Get("value")), "route": route,
	}))
}

func getClient(c *call) error {
	return c.answer(c.ofClient("client", nil))
}

func patchClient(c *call) error {
	var change struct {
		ID   *string         `json:"id"`
		Ping json.RawMessage `json:"ping"`
	}
	if err := c.decode(&change); err != nil {
		return err
	}
	if (change.ID == nil) == (change.Ping == nil) {
		return badRequest(`one change at a time: {"id": "NEW ID"}, {"ping": MILLISECONDS}, {"ping": "route"} or {"ping": "off"}`)
	}

	if change.Ping != nil {
		how, err := pinging(change.Ping)
		if err != nil {
			return err
		}

		return c.act("ping", map[string]any{"how": how})
	}

	answer, err := c.door.Call(c.ofClient("rename", map[string]any{"new": *change.ID}))
	if err != nil {
		return refusal(err)
	}
	switch answer.Renamed {
	case "done":
		return c.write(http.StatusOK, map[string]bool{"flag": true})
	case "gone":
		return refuse(http.StatusNotFound, command.ErrNoSuchClient)
	default:
		return refuse(http.StatusConflict, errors.New("another client has this id: choose one that is free"))
	}
}

// pinging reads how often a client is to be pinged.
func pinging(encoded json.RawMessage) (any, error) {
	var (
		milliseconds uint32
		word         string
	)
	switch {
	case json.Unmarshal(encoded, &milliseconds) == nil:
		return map[string]uint32{"every": milliseconds}, nil
	case json.Unmarshal(encoded, &word) == nil && (word == "route" || word == "off"):
		return word, nil
	default:
		return nil, badRequest(`ping is a number of milliseconds, "route" (as its route says) or "off"`)
	}
}

func deleteClient(c *call) error {
	kill, err := c.flag("kill")
	if err != nil {
		return err
	}
	if kill {
		if c.query.Has("code") || c.query.Has("reason") {
			return badRequest("kill cuts the connection, without a code and a reason: leave them out, or leave kill out")
		}

		return c.act("kill", nil)
	}

	code, err := c.integer("code", 0, 65535)
	if err != nil {
		return err
	}

	return c.act("close", map[string]any{"code": code, "reason": c.optional("reason")})
}

func getPing(c *call) error         { return c.answer(c.ofClient("ping_time", nil)) }
func getClientTags(c *call) error   { return c.answer(c.ofClient("tags", nil)) }
func clearClientTags(c *call) error { return c.act("clear_tags", nil) }

func hasTag(c *call) error {
	answer, err := c.door.Call(c.ofClient("tags", nil))
	if err != nil {
		return refusal(err)
	}
	if answer.Gone {
		return refuse(http.StatusNotFound, command.ErrNoSuchClient)
	}
	if !slices.Contains(answer.Names, c.r.PathValue("tag")) {
		return refuse(http.StatusNotFound, errors.New("the client does not have this tag"))
	}

	return c.write(http.StatusOK, map[string]bool{"flag": true})
}

func putTag(c *call) error {
	arguments := map[string]any{"tag": c.r.PathValue("tag"), "since": c.optional("since")}
	if c.query.Has("member") {
		info, err := c.body()
		if err != nil {
			return err
		}
		arguments["member"] = map[string]any{"user": c.query.Get("member"), "info": command.Bytes(info)}
	}

	return c.act("tag", arguments)
}

func deleteTag(c *call) error {
	return c.act("untag", map[string]any{"tag": c.r.PathValue("tag")})
}

func getAllInformation(c *call) error { return c.answer(c.ofClient("all_information", nil)) }
func clearInformation(c *call) error  { return c.act("clear_information", nil) }

func getInformation(c *call) error {
	return c.answerBytes(c.ofClient("get_information", map[string]any{"key": c.r.PathValue("key")}))
}

func putInformation(c *call) error {
	value, err := c.body()
	if err != nil {
		return err
	}

	return c.act("set_information", map[string]any{"key": c.r.PathValue("key"), "value": command.Bytes(value)})
}

func deleteInformation(c *call) error {
	return c.answerUnlessNo(c.ofClient("delete_information", map[string]any{"key": c.r.PathValue("key")}), http.StatusNotFound, errNoSuchKey)
}

func postMessage(c *call) error {
	to, err := c.group()
	if err != nil {
		return err
	}
	all, err := c.flag("all")
	if err != nil {
		return err
	}
	client := c.optional("client")
	if client != nil {
		if to != nil {
			return badRequest(whoParameters)
		}
		to = map[string]any{"client": client}
	}
	if all == (to != nil) {
		return badRequest(whoParameters)
	}
	if all {
		to = "all"
	}
	binary, err := c.flag("binary")
	if err != nil {
		return err
	}
	data, err := c.body()
	if err != nil {
		return err
	}

	answer, err := c.door.Call(command.Of("send", map[string]any{
		"to": to, "data": command.Bytes(data), "binary": binary, "route": c.optional("route"), "except": c.optional("except"),
	}))
	switch {
	case err != nil:
		return refusal(err)
	case answer.Sent == "gone":
		return refuse(http.StatusNotFound, errors.New("no client has this id, or it is not on that route"))
	case answer.Sent == "dropped":
		return refuse(http.StatusServiceUnavailable, errors.New("the message was dropped: the client's outbox is full"))
	case answer.Sent != "":
		return c.write(http.StatusOK, map[string]string{"sent": answer.Sent})
	default:
		return c.write(http.StatusOK, map[string]uint64{"queued": answer.Queued})
	}
}

const whoParameters = "say to whom, once: client=ID, tag=TAG, expression=EXPRESSION, user=USER or all"

func postEvent(c *call) error {
	data, err := c.body()
	if err != nil {
		return err
	}
	if !utf8.Valid(data) {
		return badRequest("the data of an event must be UTF-8")
	}

	return c.answer(command.Of("publish", map[string]any{
		"channels": []string{c.r.PathValue("channel")}, "event": c.r.PathValue("event"), "data": string(data), "app": c.optional("app"), "except": c.optional("except"),
	}))
}

func putUser(c *call) error {
	info, err := c.body()
	if err != nil {
		return err
	}

	return c.act("set_user", map[string]any{"user": c.r.PathValue("user"), "info": command.Bytes(info)})
}

func deleteUser(c *call) error { return c.act("set_user", nil) }

func disconnectUser(c *call) error {
	code, err := c.integer("code", 0, 65535)
	if err != nil {
		return err
	}

	return c.answer(command.Of("disconnect_user", map[string]any{
		"user": c.r.PathValue("user"), "code": code, "reason": c.optional("reason"), "route": c.optional("route"),
	}))
}

func getPresence(c *call) error {
	return c.answer(command.Of("presence", map[string]any{"tag": c.r.PathValue("tag"), "route": c.optional("route")}))
}

func getHistory(c *call) error {
	limit, err := c.integer("limit", 0, 1<<32-1)
	if err != nil {
		return err
	}

	return c.answer(command.Of("history", map[string]any{
		"tag": c.r.PathValue("tag"), "limit": limit, "since": c.optional("since"), "route": c.optional("route"),
	}))
}

func deleteHistory(c *call) error {
	what := command.Of("clear_history", map[string]any{"tag": c.r.PathValue("tag"), "route": c.optional("route")})

	return c.answerUnlessNo(what, http.StatusNotFound, errors.New("nothing that was sent to this tag is kept"))
}

func getTags(c *call) error   { return c.answer(command.Of("tags", nil)) }
func getRoutes(c *call) error { return c.answer("routes") }

func getStats(c *call) error {
	answer, err := c.door.Call("stats")
	if err != nil {
		return refusal(err)
	}

	return c.write(http.StatusOK, answer.Stats)
}

func getValue(c *call) error {
	return c.answerBytes(c.ofValue("get", nil))
}

func putValue(c *call) error {
	expire, err := c.integer("expire", 0, 1<<63-1)
	if err != nil {
		return err
	}
	condition := c.r.Header.Get("If-None-Match")
	if condition != "" && condition != "*" {
		return badRequest("If-None-Match can only be *: set the value if there is none")
	}
	value, err := c.body()
	if err != nil {
		return err
	}

	arguments := map[string]any{"value": command.Bytes(value), "expire": expire}
	if condition == "" {
		return c.answer(c.ofValue("set", arguments))
	}

	return c.answerUnlessNo(c.ofValue("add", arguments), http.StatusPreconditionFailed, errors.New("the key has a value already"))
}

func deleteValue(c *call) error {
	return c.answerUnlessNo(c.ofValue("delete", nil), http.StatusNotFound, errNoSuchKey)
}

func getExpiry(c *call) error {
	answer, err := c.door.Call(c.ofValue("expiry", nil))
	if err != nil {
		return refusal(err)
	}
	if answer.Expiry == nil || string(answer.Expiry) == "null" {
		return refuse(http.StatusNotFound, errNoSuchKey)
	}

	return c.write(http.StatusOK, map[string]json.RawMessage{"expiry": answer.Expiry})
}

func incrementValue(c *call) error {
	by, err := c.integer("by", -1<<63, 1<<63-1)
	if err != nil {
		return err
	}

	return c.answer(c.ofValue("increment", map[string]any{"by": by}))
}

func postTimer(c *call) error {
	delay, err := c.integer("delay", 0, 1<<63-1)
	if err != nil {
		return err
	}
	repeat, err := c.flag("repeat")
	if err != nil {
		return err
	}
	worker := c.optional("worker")
	if delay == nil || worker == nil {
		return badRequest("a timer needs delay=MILLISECONDS and worker=NAME")
	}
	payload, err := c.body()
	if err != nil {
		return err
	}

	answer, err := c.door.Call(command.Of("set_timer", map[string]any{
		"delay": delay, "payload": command.Bytes(payload), "repeat": repeat, "worker": worker, "name": c.optional("name"),
	}))
	if err != nil {
		return refusal(err)
	}
	c.w.Header().Set("Location", fmt.Sprintf("/websocket/timers/%d", answer.Integer))

	return c.write(http.StatusCreated, map[string]int64{"integer": answer.Integer})
}

func deleteTimer(c *call) error {
	timer, err := integer("the number of a timer", c.r.PathValue("timer"), 0, 1<<63-1)
	if err != nil {
		return err
	}

	return c.answerUnlessNo(command.Of("clear_timer", map[string]any{"timer": timer}), http.StatusNotFound, errors.New("no timer has this number"))
}

// postCommand takes any command. JSON is asked for as Caddy's own endpoints do: a form on a foreign page cannot send it.
func postCommand(c *call) error {
	if kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, errors.New("a command is JSON: say so with Content-Type: application/json"))
	}
	command, err := c.body()
	if err != nil {
		return err
	}

	return c.stream(c.door(command))
}
