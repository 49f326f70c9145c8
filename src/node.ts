/** The service on Node: what a program that embeds it starts. `countersign serve` starts the same. */
export { type NodeService, startNodeService } from './compose/node-service.ts'
