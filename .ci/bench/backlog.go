package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// perPost is how long the receiver of a backlog takes for each post.
const perPost = 50 * time.Millisecond

// sideBySide is how many batches Houndtrail sends at a time with its default settings.
const sideBySide = 8

// A siem takes perPost for each post, and keeps the bodies of the first export.
type siem struct {
	*httptest.Server

	mu     sync.Mutex
	kept   bool
	bodies [][]byte
}

func newSIEM() *siem {
	s := &siem{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		if !s.kept {
			s.bodies = append(s.bodies, body)
		}
		s.mu.Unlock()
		time.Sleep(perPost)
	}))
	return s
}

// repeat posts the kept bodies, as many at a time as Houndtrail does, and does nothing else.
func (s *siem) repeat() (u usage, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: sideBySide}}
	defer client.CloseIdleConnections()
	next := make(chan []byte)
	failed := make(chan error, sideBySide)
	began := time.Now()
	var posts sync.WaitGroup
	for range sideBySide {
		posts.Go(func() {
			for body := range next {
				answer, err := client.Post(s.URL, "application/x-ndjson", bytes.NewReader(body)) //nolint:noctx // it has an end
				if err != nil {
					failed <- err
					for range next { // the others go on, and the caller learns of it
					}
					return
				}
				_ = answer.Body.Close()
			}
		})
	}
	for _, body := range s.bodies {
		next <- body
	}
	close(next)
	posts.Wait()
	close(failed)
	for e := range failed {
		err = errors.Join(err, e)
	}
	return usage{wall: time.Since(began).Seconds()}, err
}

// backlog measures a first export to a receiver that takes 50 ms a post. The yardstick posts the same bodies with the same
// concurrency in the same minute. A receiver that takes no time gives the figure for the processor.
func (b *bench) backlog(records int) error {
	b.rounds = cmp.Or(b.rounds, 3)
	s, err := b.serve(records, "2s")
	if err != nil {
		return err
	}
	defer s.stop()
	slow := newSIEM()
	defer slow.Close()
	var exports, prompt, posts []usage
	for range b.rounds {
		b.exports++
		u, err := b.once(s, append(fast(), b.checkpoints(), "HOUNDTRAIL_WEBHOOK_URL="+slow.URL)...)
		if err != nil {
			return err
		}
		slow.kept = true
		p, err := b.export(s, webhook)
		if err != nil {
			return err
		}
		raw, err := slow.repeat()
		if err != nil {
			return fmt.Errorf("post the same bodies: %w", err)
		}
		exports, prompt, posts = append(exports, u), append(prompt, p), append(posts, raw)
	}
	header("bar")
	b.row(fmt.Sprintf("time, a backlog to a receiver of 50 ms a post / the same posts (%.1f s / %.1f s, %d posts)", median(exports, wall),
		median(posts, wall), len(slow.bodies)), "%.2f", ratio(exports, posts, wall), "1.2")
	b.row(fmt.Sprintf("processor, to that receiver / to one that takes no time (%.1f s / %.1f s)", median(exports, cpu), median(prompt, cpu)),
		"%.2f", ratio(exports, prompt, cpu), "1.1")
	b.row("peak memory, MiB", "%.0f", median(exports, rss), "256")
	return nil
}
