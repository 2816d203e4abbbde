// Package group is the pure core of a consumer group's member.
package group
