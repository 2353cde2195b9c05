package budget_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/houndtrail/houndtrail/exporter/budget"
)

func nothing() error { return nil }

// borrow borrows bytes that are free, so it need not wait.
func borrow(tb testing.TB, a *budget.Account, bytes int64) *budget.Loan {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	l, err := a.Borrow(ctx, bytes, nothing)
	if err != nil {
		tb.Fatalf("%d bytes have to be waited for", bytes)
	}
	return l
}

func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		share := budget.Split(200, 2)[0]
		a := share.Open()
		first, second := borrow(t, a, 60), borrow(t, a, 40)
		got := make(chan *budget.Loan, 1)
		go func() {
			l, _ := a.Borrow(t.Context(), 30, func() error { t.Error("there are two loans to wait for"); return nil })
			got <- l
		}()
		synctest.Wait()
		if len(got) > 0 {
			t.Fatal("130 of 100 bytes are lent")
		}
		first.Keep(40)
		synctest.Wait()
		if len(got) > 0 {
			t.Fatal("110 of 100 bytes are lent")
		}
		second.Return()
		second.Return() // frees nothing twice
		third := <-got
		borrow(t, a, 30)
		third.Keep(50) // more than it has
		a.Close()
		borrow(t, share.Open(), 1000) // it takes the whole share
	})
}

// Its holder keeps the newest loan until the next one is there, which without release would be for ever.
func TestRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := budget.Split(100, 1)[0].Open()
		older, newest := borrow(t, a, 50), borrow(t, a, 50)
		calls := 0
		done := make(chan error, 1)
		go func() {
			_, err := a.Borrow(t.Context(), 80, func() error { calls++; newest.Return(); return nil })
			done <- err
		}()
		synctest.Wait()
		if calls > 0 {
			t.Fatal("the newest is released while another one may come back")
		}
		older.Return()
		if err := <-done; err != nil || calls != 1 {
			t.Fatalf("%v after %d calls", err, calls)
		}
		broken := errors.New("broken")
		if _, err := a.Borrow(t.Context(), 80, func() error { return broken }); !errors.Is(err, broken) {
			t.Errorf("a release that failed: %v", err)
		}
	})
}

// A large loan waits for all loans of its own stream, and for the large loan of the other stream, but not for that stream's
// other loans.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shares := budget.Split(200, 2)
		one, other := shares[0].Open(), shares[1].Open()
		small := borrow(t, other, 30)
		window := borrow(t, one, 10)
		alone := make(chan *budget.Loan, 1)
		go func() {
			l, _ := one.BorrowAlone(t.Context(), nothing)
			alone <- l
		}()
		synctest.Wait()
		if len(alone) > 0 {
			t.Fatal("a large loan beside a window of the same stream")
		}
		window.Return()
		large := <-alone
		large.Keep(1) // stays whole

		ctx, cancel := context.WithCancelCause(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := other.BorrowAlone(ctx, func() error { small.Return(); return nil })
			failed <- err
		}()
		synctest.Wait()
		stop := errors.New("stop")
		cancel(stop)
		if err := <-failed; !errors.Is(err, stop) {
			t.Errorf("a borrower that was stopped says %v", err)
		}
		borrow(t, other, 100)
		one.Close()
		borrow(t, shares[0].Open(), 100)
	})
}

// The test borrows and gives back in any order: in the end everything is free again.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		share := budget.Split(100, 1)[0]
		a := share.Open()
		var loans []*budget.Loan
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			n := rapid.Int64Range(0, 120).Draw(rt, "bytes")
			switch step := rapid.IntRange(0, 3).Draw(rt, "step"); {
			case step == 0 || len(loans) == 0:
				if l, err := a.Borrow(stopped, n, nothing); err == nil {
					loans = append(loans, l)
				}
			case step == 1:
				if l, err := a.BorrowAlone(stopped, nothing); err == nil {
					loans = append(loans, l)
				}
			case step == 2:
				loans[int(n)%len(loans)].Keep(n)
			default:
				loans[int(n)%len(loans)].Return()
			}
		}
		a.Close()
		for _, l := range loans {
			l.Return() // too late, and no harm
		}
		l := borrow(t, share.Open(), 100)
		if _, err := share.Open().Borrow(stopped, 1, nothing); err == nil {
			rt.Fatal("more than the share is free")
		}
		l.Return()
	})
}
