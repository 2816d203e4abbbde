package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Refuse builds the response that refuses a whole request, for a node that cannot
// hand it to an active controller.
func Refuse(req kmsg.Request, why *kerr.Error) kmsg.Response { return refuse(req, why) }
