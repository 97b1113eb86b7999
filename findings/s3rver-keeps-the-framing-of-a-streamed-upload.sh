#!/usr/bin/env bash
# s3rver stores a streamed upload of the AWS SDK for JavaScript with its chunk sizes and trailer in it.
#
# Seen with s3rver 3.7.1 and @aws-sdk/client-s3 3.1000.0 (npm):
#   PutObject with a stream that says "streamed body"    200
#   GetObject                                            "d\r\nstreamed body\r\n0\r\nx-amz-checksum-crc32:z7Y9bA==\r\n\r\n"
# The SDK sends Content-Encoding: aws-chunked with a checksum as trailer, which the store takes for the
# object's content. A state or a record that was written so cannot be read back.
set -euo pipefail
# shellcheck source=findings/lib.sh
. "$(dirname "$0")/lib.sh"

npm install --silent --no-audit --no-fund s3rver@3.7.1 @aws-sdk/client-s3@3.1000.0 >/dev/null
cat >streamed.mjs <<'JS'
import { Readable } from "node:stream";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import S3rver from "s3rver";
const server = new S3rver({ port: 0, address: "127.0.0.1", silent: true, directory: "data", configureBuckets: [{ name: "states" }] });
const { port } = await server.run();
const client = new S3Client({
  endpoint: `http://127.0.0.1:${port}`,
  forcePathStyle: true,
  region: "us-east-1",
  credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
});
const object = { Bucket: "states", Key: "object" };
await client.send(new PutObjectCommand({ ...object, Body: Readable.from([Buffer.from("streamed body")]), ContentLength: 13 }));
const read = await client.send(new GetObjectCommand(object));
console.log(JSON.stringify(await read.Body.transformToString()));
await server.close();
JS
same 'read back' '"d\r\nstreamed body\r\n0\r\nx-amz-checksum-crc32:z7Y9bA==\r\n\r\n"' "$(node streamed.mjs 2>/dev/null)"
