// Command odradek runs the simulation and the broker.
package main

func main() {}
