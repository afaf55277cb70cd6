DROP TABLE chat_secret_key;
