-- Applied again, the waits of marked files begin from the start. The file `collector` in the attachments directory has to
-- be deleted then, or `chat-server attachments adopt` run.
DROP TABLE chat_write_probes;
DROP TABLE chat_collector;
DROP TABLE chat_orphans;
