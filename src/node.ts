/** The service on Node: what a program that embeds it starts. The command `serve` starts the same. */
export { type NodeService, startNodeService } from './compose/node-service.ts'
