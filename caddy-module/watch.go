package websocket

import (
	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// sayHowToRestart names the workers whose edited code would stay unused, and what to do about that. FrankenPHP itself says nothing.
func (a *App) sayHowToRestart() {
	if a.php == nil {
		return
	}

	var unwatched []string
	for _, worker := range a.php.Workers {
		if _, used := a.workers[worker.Name]; used && len(worker.Watch) == 0 {
			unwatched = append(unwatched, worker.Name)
		}
	}
	if len(unwatched) > 0 {
		a.logger.Info("workers keep the code they started with: after an edit restart them, or write `watch` into their block of the Caddyfile",
			zap.Strings("workers", unwatched),
			zap.String("restart", "POST /frankenphp/workers/restart at Caddy's admin address, which is http://"+caddy.DefaultAdminListen+" by default"))
	}
}
