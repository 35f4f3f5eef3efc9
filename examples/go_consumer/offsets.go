package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	leastPause = 50 * time.Millisecond
	mostPause  = 3 * time.Second
)

// Claim is a partition that is ours from now on. Offset and Position are nil when nothing was ever committed.
type Claim struct {
	Partition int32  `json:"partition"`
	Epoch     int64  `json:"epoch"`
	Offset    *int64 `json:"offset"`
	Position  *int64 `json:"position"`
}

// Commit says that everything below Offset is done. Epoch is that of the claim.
type Commit struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Position  *int64 `json:"position,omitempty"`
	Epoch     int64  `json:"epoch"`
}

// Problem is a refusal: an RFC 9457 document, of which these members matter to a program and to people.
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (p *Problem) Error() string { return fmt.Sprintf("%s: %s", p.Code, p.Detail) }

// Offsets calls the offsets service for one consumer. Every call may be repeated, and is until the service answers: a
// call ends with its answer, with a *Problem that no repetition cures, or with its context.
type Offsets struct {
	consumer string // URL of the consumer
	http     http.Client
}

// NewOffsets makes no call yet.
func NewOffsets(service, consumer string) *Offsets {
	return &Offsets{
		consumer: service + "/v1/consumers/" + url.PathEscape(consumer),
		http:     http.Client{Timeout: 5 * time.Second},
	}
}

// Claim takes partitions over: commits of whoever had them are refused as `fenced` from now on. An empty topicID is not
// checked; another one than that of the stored offsets is refused as `topic-changed`.
func (o *Offsets) Claim(ctx context.Context, topic, topicID, member string, partitions []int32) ([]Claim, error) {
	body := map[string]any{"topic": topic, "member": member, "partitions": partitions}
	if topicID != "" {
		body["topic_id"] = topicID
	}
	type claims struct{ Claims []Claim }
	answer, err := call(ctx, o, http.MethodPost, "/claims", body, func(a claims) bool {
		return len(a.Claims) == len(partitions)
	})
	return answer.Claims, err
}

// Commit moves offsets. Of each, in order: nil when it is stored, or why it was refused.
func (o *Offsets) Commit(ctx context.Context, commits []Commit) ([]*Problem, error) {
	type results struct{ Results []*Problem }
	body := map[string]any{"offsets": commits}
	answer, err := call(ctx, o, http.MethodPut, "/offsets", body, func(a results) bool {
		return len(a.Results) == len(commits) && !slices.Contains(a.Results, nil)
	})
	if err != nil {
		return nil, err
	}
	for i, result := range answer.Results {
		if result.Status == http.StatusOK {
			answer.Results[i] = nil
		}
	}
	return answer.Results, nil
}

// Release gives partitions up in good order: the consumer counts as idle at once.
func (o *Offsets) Release(ctx context.Context, topic string, claims []Claim) error {
	type release struct {
		Partition int32 `json:"partition"`
		Epoch     int64 `json:"epoch"`
	}
	var releases []release
	for _, claim := range claims {
		releases = append(releases, release{claim.Partition, claim.Epoch})
	}
	body := map[string]any{"topic": topic, "claims": releases}
	_, err := call(ctx, o, http.MethodPost, "/releases", body, func(struct{}) bool { return true })
	return err
}

// call tries until there is an answer that is ours: what answers otherwise is somebody else, such as a proxy. The end of ctx
// does not break off a try: a claim that is on its way could still arrive, after that of the next owner.
func call[T any](ctx context.Context, o *Offsets, method, path string, body any, ours func(T) bool) (T, error) {
	var none T
	sent, err := json.Marshal(body)
	if err != nil {
		return none, err
	}
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		var answer T
		err := o.once(context.WithoutCancel(ctx), method, path, sent, &answer)
		if err == nil && ours(answer) {
			if pause > leastPause {
				slog.Info("the offsets service answers again")
			}
			return answer, nil
		}
		if problem, refused := err.(*Problem); refused {
			return none, problem
		}
		if err == nil {
			err = errors.New("the answer is not the offsets service's")
		}
		if pause == leastPause && ctx.Err() == nil {
			slog.Warn("the offsets service is away", "error", err)
		}
		select {
		case <-ctx.Done():
			return none, fmt.Errorf("the offsets service is away: %w", err)
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// once tries once. A *Problem is the service's last word; any other error means that it is away.
func (o *Offsets) once(ctx context.Context, method, path string, body []byte, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, o.consumer+path, bytes.NewReader(body))
	if err != nil {
		return &Problem{Code: "request", Detail: err.Error()}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := o.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return json.NewDecoder(response.Body).Decode(answer)
	}
	problem := &Problem{}
	err = json.NewDecoder(response.Body).Decode(problem)
	if response.StatusCode >= 500 || err != nil || problem.Code == "" {
		return fmt.Errorf("%s answers %s", o.consumer, response.Status) // away, or somebody else, such as a proxy
	}
	return problem
}
