-- Applied again, the migration makes a new identity: the mark of the attachment store has to be deleted then.
DROP TABLE chat_identity;
