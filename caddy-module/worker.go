package websocket

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	frankenphpcaddy "github.com/dunglas/frankenphp/caddy"
)

// Worker is a pool of PHP threads that handles events.
type Worker struct {
	// Name as declared in the frankenphp app.
	Name string `json:"name"`
	// Threads is how many of it can run at the same time.
	Threads int `json:"threads"`
}

// workerNameVariable is an environment variable of the scripts of workers that handle events: the worker's name, which nothing else
// tells a script while it starts. phpext/timers.c reads it.
const workerNameVariable = "FRANKENPHP_WS_WORKER"

// moduleWorkerPrefix marks workers declared inside php_server or php. FrankenPHP gives them names of its own making.
const moduleWorkerPrefix = "m#"

// findWorker looks a worker up in the frankenphp app of the configuration, which may be nil. FrankenPHP itself does not
// complain of an unknown one: it would take the bell for a request to an ordinary script.
func findWorker(app *frankenphpcaddy.FrankenPHPApp, name string) (Worker, error) {
	if app == nil {
		return Worker{}, unknownWorker(name, nil)
	}

	var names []string
	for i := range app.Workers {
		w := &app.Workers[i]
		if w.Name == name {
			if w.Env == nil {
				w.Env = make(map[string]string, 1)
			}
			w.Env[workerNameVariable] = name

			return Worker{Name: name, Threads: threads(w.Num, w.MaxThreads, app.NumThreads, app.MaxThreads)}, nil
		}

		names = append(names, w.Name)
	}

	return Worker{}, unknownWorker(name, names)
}

// threads returns how many threads a worker can come to have: those it starts with (twice the number of CPUs where not
// said, as FrankenPHP does) and those that automatic scaling may add.
func threads(num, most, appNum, appMost int) int {
	if num <= 0 {
		num = 2 * runtime.GOMAXPROCS(0)
	}

	switch {
	case most > 0: // a limit of its own
		return max(num, most)
	case appMost > appNum && appNum > 0: // shares what the app may add
		return num + appMost - appNum
	case appMost != 0: // likewise, by a number not known here
		return 2 * num
	default:
		return num
	}
}

// unknownWorker is the error for a worker that is not declared.
func unknownWorker(name string, declared []string) error {
	declared = slices.DeleteFunc(slices.Clone(declared), func(n string) bool {
		return n == "" || strings.HasPrefix(n, moduleWorkerPrefix)
	})

	if len(declared) == 0 {
		return fmt.Errorf(`worker %q is not declared: the frankenphp app has no named worker (a Caddyfile needs the global block frankenphp with a worker whose "name" is %s; one inside php_server does not count)`, name, name)
	}

	return fmt.Errorf("worker %q is not declared in the frankenphp app, which has: %s", name, strings.Join(declared, ", "))
}
