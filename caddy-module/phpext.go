package websocket

import (
	"fmt"

	// The PHP functions. The package registers the extension with PHP.
	"github.com/frankenphp-ws/frankenphp-ws/caddy-module/phpext"
	"go.uber.org/zap"
)

func init() { phpext.BeforeStart(process.beforePHP) }

// beforePHP is called when PHP starts. Apps start in no particular order, and the workers of FrankenPHP's run their scripts before the
// last app has started: by then the core must be there, and know the workers.
func (p *coreProcess) beforePHP() {
	app := p.starting.Load()
	if app == nil {
		return
	}

	defer func() {
		if panicked := recover(); panicked != nil {
			app.logger.Error("panic while preparing for PHP", zap.String("panic", fmt.Sprint(panicked)))
		}
	}()

	if err := app.prepare(); err != nil {
		// Start will fail with the same error.
		app.logger.Error("the WebSocket core is not ready for PHP", zap.Error(err))
	}
}
