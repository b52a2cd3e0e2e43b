-- What a host signed at the end of an order: the outcome as it travelled, the signature and the certificate (base64).
ALTER TABLE host_outcomes ADD COLUMN signed_outcome TEXT;
ALTER TABLE host_outcomes ADD COLUMN receipt TEXT;
ALTER TABLE host_outcomes ADD COLUMN certificate TEXT;
