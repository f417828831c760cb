// Package websocket is the Caddy module of frankenphp-ws: it puts WebSockets inside FrankenPHP.
//
// Caddy accepts, routes and authorises the upgrade request; the handler [Handler] lets the core examine it, answers, hands
// the socket itself over to the core, and returns. From then on no Go code belongs to the connection. Over TLS, HTTP/2 and
// HTTP/3 there is no socket to hand over: package stream carries the bytes. PHP workers of the frankenphp app fetch the
// connection's events; the module rings them ([ringer]) when the core has some.
//
// # Caddyfile
//
// The global block, which is optional, as all in it:
//
//	{
//		websocket {
//			shards                 <n>
//			max_unfinished         <size>
//			max_pending_bytes      <size>
//			max_compression_memory <size>
//			max_history_bytes      <size>
//			max_suspended          <n>
//			max_resume_bytes       <size>
//			max_call_bytes         <size>
//			search_timeout         <duration>
//			values {
//				max_entries <n>
//				max_size    <size>
//			}
//			cluster                <address> {
//				prefix  <name>
//				timeout <duration>
//				lease   <duration>
//				label   <text>
//				ca      <file>
//			}
//			control [off | <path>] {
//				mode  <octal>
//				group <name>
//			}
//			authorize {
//				max_running <n>
//				max_waiting <n>
//			}
//		}
//	}
//
// The handler directive. It is ordered where Caddy puts what answers: after abort, error, respond and metrics, hence after
// all that may deny a request, and before reverse_proxy, php_server and file_server (docs/placement.md):
//
//	websocket [<matcher>] {
//		name                   <route name>
//		worker                 <name>
//		echo
//		pusher {
//			app <id> <key> <secret> {
//				disabled
//				allowed_origins      <origin pattern...>
//				client_events        on|off
//				client_event_rate    <n>/s|off
//				max_payload          <size>
//				activity_timeout     <duration>
//				max_connections      <n>
//				max_channels         <n>
//				max_presence_members <n>
//				presence_grace       <duration>|off
//				cache_age            <duration>
//				subscription_count
//				tls_only
//				webhook              <url>|worker <name> {
//					events         <kind...>
//					channel_prefix <text>
//				}
//			}
//		}
//		origins                <host pattern...>
//		subprotocols           <name...>
//		subprotocol            <name> {
//			worker <name>
//		}
//		subprotocol_required
//		authorize              <uri> {
//			timeout               <duration>
//			copy_response_headers <name...>
//		}
//		max_message_size       <size>
//		max_frame_size         <size>
//		compression            [on|off]
//		max_connections        <n>
//		max_connections_per_ip <n>
//		rate_limit {
//			messages <n>/s
//			bytes    <size>/s
//			burst    <duration>
//			exceed   delay|close
//		}
//		handshake_timeout      <duration>
//		message_timeout        <duration>|off
//		ping_interval          <duration>|off
//		pong_timeout           <duration>
//		idle_timeout           <duration>|off
//		max_lifetime           <duration>|off
//		close_timeout          <duration>
//		max_outbox             <size>
//		slow_client            close|drop_oldest|drop_newest
//		max_pending_events     <n>
//		resume                 <duration> {
//			parameter <name>
//			received  <name>
//		}
//		channel                <pattern> {
//			history <count> <age>
//			presence {
//				grace <duration>|off
//			}
//		}
//		on_error               continue|close
//	}
//
// The blocks of app, webhook, presence, resume and cluster may be left out. Instead of on, compression can have a block:
//
//	compression {
//		context_takeover
//		window_bits        <9..15>
//		client_window_bits <9..15>
//		threshold          <size>
//		level              <1..9>
//	}
//
// [Route] describes the options and [App] the global ones; docs/options.md has a table of them with all defaults.
//
// # Who lives how long
//
// The core is one per process and outlives configurations; so do its connections. A configuration is a generation of
// routes: staged when its [App] starts, committed when Caddy says that all has started, withdrawn when the App stops. PHP
// is shut down and started again by a reload, so no bell may ring then: see [gateHold].
//
// # Looking after it
//
// [Admin] puts every command of the core on Caddy's admin endpoint, and the command `frankenphp websocket` reaches the server
// of the machine by its control socket.
package websocket

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/cli"
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/internal/http2connect"
)

func init() {
	http2connect.Restore()

	caddy.RegisterModule(new(App))
	caddy.RegisterModule(new(Handler))
	caddy.RegisterModule(Admin{})
	caddycmd.RegisterCommand(cli.Command())

	httpcaddyfile.RegisterGlobalOption("websocket", parseGlobalOption)
	httpcaddyfile.RegisterHandlerDirective("websocket", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("websocket", httpcaddyfile.After, "metrics")
}
