//go:build crashtest

package jobs

import "github.com/settler-pay/settler/internal/crash"

func crashPoint(name string) { crash.Point(name) }
