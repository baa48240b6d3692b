package monitor

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed page
var pageFiles embed.FS

// assets returns the files of the page besides index.html, by name.
var assets = sync.OnceValue(func() map[string][]byte {
	files := make(map[string][]byte)
	entries, err := fs.ReadDir(pageFiles, "page")
	if err != nil {
		panic("monitor: the page is part of the program: " + err.Error())
	}
	for _, e := range entries {
		text, err := fs.ReadFile(pageFiles, "page/"+e.Name())
		if err != nil {
			panic("monitor: the page is part of the program: " + err.Error())
		}
		files[e.Name()] = text
	}
	return files
})

// policy lets the page load nothing but its own files and endpoints, and run no script that is not one of them.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveRoot is the page. Source: docs/spec/monitoring.md §3.
func (s *Server) serveRoot(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	text := assets()["index.html"]
	if s.base != "" {
		// Links are relative to the directory of the page, which is that of the base path.
		text = bytes.ReplaceAll(text, []byte(`"./`), []byte(`"./`+s.base[strings.LastIndexByte(s.base, '/')+1:]+`/`))
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}

// serveAsset is a file of the page.
func (s *Server) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	h := w.Header()
	switch path.Ext(name) {
	case ".js":
		h.Set("Content-Type", "text/javascript; charset=utf-8")
	case ".css":
		h.Set("Content-Type", "text/css; charset=utf-8")
	case ".svg":
		h.Set("Content-Type", "image/svg+xml")
	default:
		h.Set("Content-Type", "text/html; charset=utf-8")
	}
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(assets()[name]))
}
