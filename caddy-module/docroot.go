package websocket

import (
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	frankenphpcaddy "github.com/dunglas/frankenphp/caddy"
	"go.uber.org/zap"
)

// warnOfPublicWorkers says which workers have their script where visitors can request it: FrankenPHP gives such a request
// to the worker. It gets no events, having no bell, but it takes a thread of the worker, and shows what its script answers.
func (a *App) warnOfPublicWorkers() {
	if a.php == nil || len(a.workers) == 0 {
		return
	}
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return
	}
	http, ok := module.(*caddyhttp.App)
	if !ok {
		return
	}

	roots := make(map[string]struct{})
	for _, server := range http.Servers {
		collectRoots(server.Routes, roots)
	}

	for _, worker := range a.php.Workers {
		if _, used := a.workers[worker.Name]; !used {
			continue
		}
		for root := range roots {
			if below(root, worker.FileName) {
				a.logger.Warn("the worker's file lies below a document root, where visitors can request it: move it out",
					zap.String("worker", worker.Name), zap.String("file", worker.FileName), zap.String("root", root))
			}
		}
	}
}

// collectRoots adds the document roots of routes that have no placeholder, as only a request could tell what those are.
func collectRoots(routes caddyhttp.RouteList, roots map[string]struct{}) {
	add := func(root any) {
		if root, ok := root.(string); ok && root != "" {
			if root = caddy.NewReplacer().ReplaceKnown(root, ""); !strings.Contains(root, "{") {
				roots[root] = struct{}{}
			}
		}
	}

	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case caddyhttp.VarsMiddleware:
				add(h["root"])
			case *caddyhttp.VarsMiddleware:
				add((*h)["root"])
			case *fileserver.FileServer:
				add(h.Root)
			case *frankenphpcaddy.FrankenPHPModule:
				add(h.Root)
			case *caddyhttp.Subroute:
				collectRoots(h.Routes, roots)
			}
		}
	}
}

// below tells whether file lies in the folder root or in one of its folders.
func below(root, file string) bool {
	root, err := realPath(root)
	if err != nil {
		return false
	}
	file, err = realPath(file)
	if err != nil {
		return false
	}
	relative, err := filepath.Rel(root, file)

	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}

	return filepath.EvalSymlinks(path)
}
